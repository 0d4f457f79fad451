"""Identity over time: transport against a linear program, planted events found, controls empty."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from cimlnk.dynamics.identity.ancestry import ancestry
from cimlnk.dynamics.identity.course import pairs_of, shuffled_labels
from cimlnk.dynamics.identity.links import events, link, profile, sibling_distance, summarise
from cimlnk.dynamics.identity.merging import merge_unseparated, valley
from cimlnk.dynamics.identity.run import SCHEMAS, draw, follow, founder_line
from cimlnk.stats.transport import shares, transport

SETTINGS = {"reach": 0.75, "min_share": 0.2, "bootstraps": 20, "shuffles": 20}


@pytest.fixture(autouse=True)
def few_bootstraps_of_ancestry(monkeypatch):
    monkeypatch.setattr("cimlnk.dynamics.identity.ancestry.BOOTSTRAPS", 50)


def test_little_blur_gives_the_plan_of_the_linear_program():
    rng = np.random.default_rng(0)
    cost, a, b = rng.uniform(size=(4, 5)), rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(5))
    plan = transport(cost, a, b, epsilon=2e-3, relax_source=np.inf, iterations=50_000)
    rows = np.vstack([np.kron(np.eye(4), np.ones(5)), np.kron(np.ones(4), np.eye(5))])
    exact = linprog(cost.ravel(), A_eq=rows, b_eq=np.concatenate([a, b]), bounds=(0, None))
    assert plan.sum(axis=0) == pytest.approx(b) and plan.sum(axis=1) == pytest.approx(a, abs=1e-6)
    assert (plan * cost).sum() == pytest.approx(exact.fun, abs=2e-3)  # entropy costs at most epsilon x ln(20)


def test_a_source_that_expands_fifty_fold_keeps_its_descendants():
    cost = np.array([[0.0, 0.5], [0.5, 0.0]])
    plan = transport(cost, np.array([0.99, 0.01]), np.array([0.5, 0.5]))
    descendants, ancestors = shares(plan)
    assert ancestors[1, 1] > 0.9 and descendants[0, 0] > 0.95 and plan.sum(axis=0) == pytest.approx([0.5, 0.5])


def test_a_target_out_of_reach_gets_nothing():
    allowed = np.array([[True, False], [True, False]])
    plan = transport(np.ones((2, 2)), np.array([0.5, 0.5]), np.array([0.7, 0.3]), allowed=allowed)
    assert plan[:, 1].sum() == 0 and plan[:, 0].sum() == pytest.approx(0.7)


def blobs(centres: dict[str, list[float]], seed: int, cells: int = 400, patients: int = 4):
    """Cells of one time point around `centres` (all in six dimensions), names, patients."""
    rng = np.random.default_rng(seed)
    x, name, patient = [], [], []
    for p in range(patients):
        for who, centre in centres.items():
            full = np.zeros(6)
            full[: len(centre)] = centre
            x.append(full + rng.normal(0, 0.1, 6) + rng.normal(0, 0.5, (cells // len(centres), 6)))
            name += [who] * (cells // len(centres))
            patient += [p] * (cells // len(centres))
    return np.vstack(x), np.array(name), np.array(patient)


def profiles(*times: dict[str, list[float]]):
    found = []
    for t, centres in enumerate(times):
        x, name, patient = blobs(centres, seed=t)
        _, code = np.unique(name, return_inverse=True)
        found.append(profile(summarise(x, code, patient, n_patients=4)))
    return found


def told(before: dict[str, list[float]], after: dict[str, list[float]]) -> set[tuple[str, str]]:
    a, b = profiles(before, after)
    names = {"birth": sorted(after), "merge": sorted(after), "loss": sorted(before), "split": sorted(before)}
    return {(e.kind, names[e.kind][e.cluster]) for e in events(link(a, b), a, b)}


def test_drift_is_not_an_event():
    assert told({"A": [0, 0], "B": [4, 0]}, {"A": [0, 1.5], "B": [4, 1.5]}) == set()


@pytest.mark.parametrize(
    ("before", "after", "event"),
    [
        ({"A": [0, 0], "B": [5, 0]}, {"A1": [0, 1.2], "A2": [0, -1.2], "B": [5, 0]}, ("split", "A")),
        ({"A1": [0, 1.2], "A2": [0, -1.2], "B": [5, 0]}, {"A": [0, 0], "B": [5, 0]}, ("merge", "A")),
        ({"A": [0, 0], "B": [5, 0]}, {"A": [0, 0], "B": [5, 0], "C": [0, 3]}, ("birth", "C")),
        ({"A": [0, 0], "B": [5, 0], "C": [0, 3]}, {"A": [0, 0], "B": [5, 0]}, ("loss", "C")),
    ],
    ids=["split", "merge", "birth", "loss"],
)
def test_every_event_is_told_and_nothing_else(before, after, event):
    assert told(before, after) == {event}


def test_a_birth_beside_an_old_cluster_is_not_taken_for_a_split():
    assert told({"A": [0, 0], "B": [5, 0]}, {"A": [0, 0], "N": [0, 2.0], "B": [5, 0]}) == {("birth", "N")}


def test_clusters_that_cannot_be_told_apart_are_not_linked():
    (a,) = profiles({"A": [0, 0], "B": [0.2, 0]})
    _, distinct = sibling_distance(a, 20, 1.0)
    assert not distinct.any() and not link(a, a).linked.any()


def test_the_product_stands_between_donor_and_blood():
    rows = [
        ("donor", -30, "donor"),
        ("pre", -7, "blood"),
        ("product", 0, "product"),
        ("D7", 7, "blood"),
        ("D28", 28, "blood"),
    ]
    samples = pd.DataFrame(rows, columns=["timepoint", "day", "tissue_or_product"])
    assert pairs_of(samples) == [("donor", "product"), ("product", "D7"), ("D7", "D28"), ("pre", "D7")]
    assert pairs_of(samples[samples["tissue_or_product"] == "blood"]) == [("pre", "D7"), ("D7", "D28")]


def kmeans(x: np.ndarray, k: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=3, random_state=0).fit_predict(x)


def arm(cells: int = 240) -> tuple[np.ndarray, pd.Series, np.ndarray, pd.DataFrame]:
    """A product of activated (and some adaptive) cells that become memory-like in blood; adaptive cells stay."""
    times = {
        ("product", 0, "product"): {"activated": [0, 0], "adaptive": [0, 9]},
        ("D7", 7, "blood"): {"proliferating": [2.5, 0], "adaptive": [0, 9]},
        ("D28", 28, "blood"): {"memory_like": [5, 0], "adaptive": [0, 9]},
    }
    x, sample, population, rows = [], [], [], []
    for number, ((timepoint, day, tissue), centres) in enumerate(times.items()):
        features, name, patient = blobs(centres, seed=20 + number, cells=cells)
        x.append(features)
        sample += [f"P{p}_{timepoint}" for p in patient]
        population += name.tolist()
        rows += [
            {"sample": f"P{p}_{timepoint}", "patient": f"P{p}", "timepoint": timepoint, "day": day, "arm": "CIML"}
            | {"tissue_or_product": tissue}
            for p in range(4)
        ]
    return np.vstack(x).astype(np.float32), pd.Series(sample), np.array(population, dtype=object), pd.DataFrame(rows)


def test_an_arm_is_followed_from_its_product_and_all_tables_fit_their_schemas():
    x, sample, population, samples = arm()
    settings = {**SETTINGS, "cells_per_timepoint": 600, "resolution": 0.3}
    found = follow(x, sample, population, samples=samples, per_ul={"D7": 50.0, "D28": 200.0}, settings=settings, seed=3)
    events_ = found["events"]  # every subset moves, none is born or lost
    assert events_.empty or (events_["verdict"] == "not shown").all()
    for name in ("identity", "tracks", "ancestry"):
        SCHEMAS[name].check(found[name].assign(modality="cytof", arm="CIML"))
    founders = found["ancestry"].set_index(["founder", "timepoint", "population"])
    assert founders.loc[("activated", "D28", "memory_like"), "share"] > 0.9
    assert founders.loc[("activated", "D28", "memory_like"), "verdict"] == "founder"
    assert founders.loc[("adaptive", "D28", "memory_like"), "verdict"] == "not shown"
    # labels without meaning: half of the founders are activated cells, so half of everything descends from them
    assert founders["share_shuffled"].to_numpy() == pytest.approx(0.5, abs=0.15)
    assert founders.loc[("adaptive", "D28", "adaptive"), "verdict"] == "founder"
    track = found["tracks"].groupby("track")["timepoint"].nunique()
    assert track.max() == 3  # the adaptive cells keep their identity
    assert found["tracks"].groupby("timepoint")["fraction"].sum().to_numpy() == pytest.approx(1)
    assert (found["identity"]["support_shuffled"] <= 0.5).all()


def test_ancestry_of_exchanged_labels_names_no_founder():
    x, sample, population, samples = arm()
    course_, rows = draw(x, sample, samples, cells_per_timepoint=600, seed=0)
    _, code = np.unique(population[rows].astype(str), return_inverse=True)
    broken = shuffled_labels(course_, code, seed=9)
    table = ancestry(broken, population[rows], ["product", "D7", "D28"], per_ul={}, seed=4)
    assert (table["verdict"] == "founder").mean() < 0.2 and table["growth"].isna().all()


def test_time_points_with_few_cells_are_left_out_and_samples_weigh_alike():
    x, sample, _, samples = arm()
    few = sample.str.endswith("D7").to_numpy() & (np.arange(len(sample)) % 20 > 0)
    course_, rows = draw(x[~few], sample[~few].reset_index(drop=True), samples, cells_per_timepoint=400, seed=0)
    assert course_.pairs == [("product", "D28")]
    assert np.bincount(course_.patient[course_.timepoint == "D28"]).tolist() == [100] * 4
    assert founder_line([("donor", "product"), ("product", "D7"), ("pre", "D7")], samples) == ["product", "D7"]


def test_parts_of_one_cloud_are_merged_and_clouds_are_not():
    rng = np.random.default_rng(7)
    x = np.vstack([rng.normal(0, 1, (600, 8)), rng.normal(0, 1, (300, 8)) + 6 * np.eye(8)[0]])
    parts = np.concatenate([kmeans(x[:600], 4), np.full(300, 4)])
    merged = merge_unseparated(x, parts)
    assert (merged[:600] == 0).all() and (merged[600:] == 1).all()
    half = kmeans(x[:600], 2) == 0
    assert valley(x[:600], x[600:]) < 0.2 and valley(x[:600][half], x[:600][~half]) > 0.75
