"""Repertoires: counting, diversity, distances and permutation tests against references and planted truths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon

from cimlnk.dynamics.repertoire.differential import distance_tests, thinned
from cimlnk.dynamics.repertoire.diversity import diversity
from cimlnk.dynamics.repertoire.phenotypes import count_phenotypes, long_counts, phenotype_codes, phenotype_name
from cimlnk.dynamics.results import with_fdr
from cimlnk.dynamics.tables import TESTS
from cimlnk.stats.composition import aitchison, jensen_shannon
from cimlnk.stats.diversity import inverse_simpson, shannon
from cimlnk.stats.permutation import donor_identity, permanova


def test_phenotypes_are_the_markers_above_their_own_threshold():
    values = np.array([[2.0, 0.0, 5.0], [0.5, 3.0, 1.0]])
    codes = phenotype_codes(values, np.array([1.0, 1.0, 4.0]))
    assert [phenotype_name(int(c), ["NKG2A", "NKG2C", "CD57"]) for c in codes] == [
        "NKG2A+ NKG2C- CD57+",
        "NKG2A- NKG2C+ CD57-",
    ]


def test_counts_are_complete_and_read_one_sample_at_a_time():
    rng = np.random.default_rng(0)
    cells = {f"s{i}": rng.normal(size=(100 + i, 3)) for i in range(3)}
    alive = []

    def stream():
        for name, values in cells.items():
            alive.append(name)
            yield name, values

    counts = count_phenotypes(stream(), np.zeros(3))
    assert alive == list(cells) and counts.sum(axis=1).tolist() == [100, 101, 102]
    long = long_counts(counts, ["A", "B", "C"])
    assert long.groupby("sample")["fraction"].sum().tolist() == pytest.approx([1, 1, 1])


def test_indices_of_equally_common_kinds_are_their_number():
    even = np.full(8, 50)
    assert inverse_simpson(even) == pytest.approx(8) and shannon(even) == pytest.approx(np.log(8))


def test_rarefied_diversity_does_not_grow_with_the_file():
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.full(60, 0.3))
    counts = pd.DataFrame([rng.multinomial(n, p) for n in (1000, 20000)], index=["small", "large"])
    table = diversity(counts, min_cells=500).set_index("sample")
    assert (table["depth"] == 1000).all()
    a, b = table.loc["small"], table.loc["large"]
    assert a["low"] < b["inverse_simpson"] < a["high"]
    assert (table["low"] < table["inverse_simpson"]).all() and (table["inverse_simpson"] < table["high"]).all()


def test_diversity_intervals_cover_the_truth():
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.full(30, 0.5))
    counts = pd.DataFrame(rng.multinomial(2000, p, size=200), index=[f"s{i}" for i in range(200)])
    table = diversity(counts, min_cells=500, repeats=100)
    truth = 1 / (p**2).sum()
    covered = ((table["low"] <= truth) & (table["high"] >= truth)).mean()
    assert covered == pytest.approx(0.95, abs=0.05)  # 200 draws: binomial standard error 1.5 %, limits from 100 repeats


def test_small_samples_are_told_and_do_not_set_the_depth():
    counts = pd.DataFrame([[500, 500], [5, 5]], index=["big", "tiny"])
    table = diversity(counts, min_cells=100).set_index("sample")
    assert table.loc["big", "depth"] == 1000 and "10 cells" in table.loc["tiny", "reason"]
    assert np.isnan(table.loc["tiny", "inverse_simpson"])


def test_jensen_shannon_agrees_with_scipy():
    counts = np.random.default_rng(3).integers(0, 30, (4, 9))
    ours = jensen_shannon(counts)
    assert ours[1, 2] == pytest.approx(jensenshannon(counts[1], counts[2], base=2))
    assert jensen_shannon(np.array([[1, 0], [0, 1]]))[0, 1] == 1


def test_aitchison_ignores_the_size_of_a_sample():
    counts = np.array([[100, 200, 700], [1000, 2000, 7000], [700, 200, 100]])
    d = aitchison(counts, pseudo=1e-9)
    assert d[0, 1] == pytest.approx(0, abs=1e-6) and d[0, 2] > 1


def points(n: int, times: int, donor: float, time: float, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    samples = pd.DataFrame(
        [
            {"sample": f"P{i}_{t}", "patient": f"P{i}", "timepoint": f"T{t}", "day": 7 * t, "arm": "CIML"}
            for i in range(n)
            for t in range(times)
        ]
    )
    where = np.repeat(rng.normal(0, donor, (n, 4)), times, axis=0) + np.tile(rng.normal(0, time, (times, 4)), (n, 1))
    where = where + rng.normal(0, 1, where.shape)
    return np.sqrt(((where[:, None] - where[None]) ** 2).sum(-1)), samples


def test_permanova_of_one_factor_is_the_anova_f_on_euclidean_distances():
    from scipy import stats

    rng = np.random.default_rng(4)
    y = rng.normal(size=12)
    group = np.repeat(["a", "b", "c"], 4)
    d = np.abs(y[:, None] - y[None])
    ours = permanova(d, group, np.zeros(12))
    reference = stats.f_oneway(*[y[group == g] for g in "abc"])
    assert ours.statistic == pytest.approx(reference.statistic)
    assert ours.p == pytest.approx(reference.pvalue, abs=0.05)  # 999 permutations: standard error at most 1.6 %


def test_time_and_donor_effects_are_found_apart_from_each_other():
    d, samples = points(6, 4, donor=5, time=0, seed=5)
    table = distance_tests(d, samples, modality="cytof", what="receptors", permutations=199).set_index("test")
    assert table.loc["donor_identity", "p"] <= 0.01 and table.loc["donor_identity", "effect"] > 0.9
    assert table.loc["permanova_patient", "p"] <= 0.01 and table.loc["permanova_time", "p"] > 0.05
    d, samples = points(6, 4, donor=0, time=3, seed=6)
    table = distance_tests(d, samples, modality="cytof", what="receptors", permutations=199)
    TESTS.check(with_fdr([table], ()))
    table = table.set_index("test")
    assert table.loc["permanova_time", "p"] <= 0.01 and table.loc["donor_identity", "p"] > 0.05


def test_permutation_tests_keep_their_level_without_an_effect():
    p_time, p_donor = [], []
    for seed in range(100):
        d, samples = points(6, 4, donor=2, time=0, seed=100 + seed)
        p_time.append(permanova(d, samples["timepoint"], samples["patient"], permutations=99, seed=seed).p)
        d, samples = points(6, 4, donor=0, time=2, seed=300 + seed)
        p_donor.append(donor_identity(d, samples["patient"], samples["timepoint"], permutations=99, seed=seed).p)
    # binomial: 100 data sets at 5 % give more than 11 rejections with probability 0.4 %
    assert sum(p <= 0.05 for p in p_time) <= 11 and sum(p <= 0.05 for p in p_donor) <= 11


def test_a_day_whose_samples_scatter_more_is_no_effect_of_time():
    hits = []
    for seed in range(200):
        random = np.random.default_rng([8, seed])
        samples = points(6, 4, donor=0, time=0, seed=0)[1]
        at = random.normal(size=(24, 4)) * np.where(samples["timepoint"] == "T1", 4.0, 1.0)[:, None]
        d = np.sqrt(((at[:, None] - at[None]) ** 2).sum(-1))
        found = permanova(d, samples["timepoint"], samples["patient"], unequal=True, permutations=59, seed=seed)
        hits.append(found.p <= 0.05)
    # pseudo-F rejects in 24 of these 200; at a true rate of .05, 18 or more come in 1.5 %
    assert 2 <= sum(hits) <= 17


def test_one_time_point_is_said_to_be_why_time_cannot_be_tested():
    d, samples = points(5, 1, donor=1, time=0, seed=1)
    table = distance_tests(d, samples, modality="cytof", what="composition", permutations=19).set_index("test")
    assert np.isnan(table.loc["permanova_time", "p"])
    assert table.loc["permanova_time", "reason"] == "not estimable: no patient has two time points"


def test_the_floor_of_few_samples_is_told():
    d, samples = points(2, 2, donor=5, time=0, seed=7)
    result = donor_identity(d, samples["patient"], samples["timepoint"])
    assert result.p_floor == pytest.approx(1 / 4) and result.p >= result.p_floor
    alone = donor_identity(d[:2, :2], ["a", "b"], ["T0", "T0"])
    assert np.isnan(alone.p) and alone.reason == "fewer than two donors have two samples"


def test_thinning_gives_all_samples_one_depth():
    counts = pd.DataFrame([[300, 100], [30, 10], [3, 1]], index=["a", "b", "c"])
    small = thinned(counts, 20, seed=0)
    assert small.sum(axis=1).to_dict() == {"a": 40, "b": 40}


def cohort(n: int, times: int, *, donor: float, arm: float, batch: float, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Two arms, patients nested in two batches that hold patients of both arms."""
    rng = np.random.default_rng(seed)
    rows = [
        {"patient": f"P{i}", "timepoint": f"T{t}", "arm": "AB"[i % 2], "batch": f"b{i // 2 % 2}"}
        for i in range(n)
        for t in range(times)
    ]
    samples = pd.DataFrame(rows)
    samples["sample"] = samples["patient"] + samples["timepoint"]
    at = rng.normal(0, donor, (n, 4))[samples["patient"].str[1:].astype(int)] if donor else np.zeros((len(samples), 4))
    at = (
        at
        + np.where(samples["arm"] == "A", arm, 0.0)[:, None]
        + np.where(samples["batch"] == "b0", batch, 0.0)[:, None]
    )
    at = at + rng.normal(0, 1, at.shape)
    return np.sqrt(((at[:, None] - at[None]) ** 2).sum(-1)), samples


@pytest.mark.parametrize(("arm", "batch"), [(4.0, 0.0), (0.0, 1.0)])
def test_neither_arm_nor_batch_passes_for_a_patient(arm, batch):
    wrong: dict[str, list[bool]] = {"permanova_patient": [], "donor_identity": []}
    for seed in range(100):
        d, samples = cohort(12, 4, donor=0.0, arm=arm, batch=batch, seed=seed)
        found = distance_tests(d, samples, modality="cytof", what="receptors", permutations=99, seed=seed)
        for test, p in found.set_index("test")["p"].items():
            if test in wrong:
                wrong[test].append(p <= 0.05)
    for test, rejected in wrong.items():
        assert len(rejected) == 100 and sum(rejected) <= 11, test  # more than 11 of 100 at 5 % in 0.4 % of the trials


def test_a_donor_is_still_known_within_its_batch():
    d, samples = cohort(12, 4, donor=5.0, arm=0.0, batch=1.0, seed=1)
    found = distance_tests(d, samples, modality="cytof", what="receptors", permutations=199).set_index("test")
    row = found.loc["donor_identity"]
    assert row["p"] <= 0.01 and row["effect"] > 0.9 and row["effect_unit"] == "1-NN accuracy within batches"
    # twelve patients are twelve trials, however many samples they gave
    assert row["effect_high"] - row["effect_low"] > 0.2


def test_one_patient_a_batch_and_batches_of_time_are_not_estimable():
    d, samples = points(4, 3, donor=5, time=5, seed=1)
    alone = distance_tests(d, samples.assign(batch=samples["patient"]), modality="cytof", what="receptors")
    alone = alone.set_index("test")
    for test in ("permanova_patient", "donor_identity"):
        assert np.isnan(alone.loc[test, "p"]) and "and a batch" in alone.loc[test, "reason"]
    aliased = distance_tests(d, samples.assign(batch=samples["timepoint"]), modality="cytof", what="receptors")
    row = aliased.set_index("test").loc["permanova_time"]
    assert np.isnan(row["p"]) and "batches of their own" in row["reason"]


def test_time_explaining_what_varies_within_patients_is_reported_as_that():
    d, samples = points(6, 4, donor=50, time=10, seed=2)
    found = distance_tests(d, samples, modality="cytof", what="receptors", permutations=99).set_index("test")
    assert found.loc["permanova_time", "effect"] > 0.9
