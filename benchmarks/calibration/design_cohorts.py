"""Cohorts in which nothing changes over time, measured by designs worse than planned, and all tests of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng
from cimlnk.dynamics.abundance.differential import absolute_tests, abundance_tests
from cimlnk.dynamics.expression.differential import expression_tests
from cimlnk.dynamics.neighbourhoods.differential import neighbourhood_tests
from cimlnk.dynamics.repertoire.differential import patient_tests, thinned, time_tests
from cimlnk.dynamics.results import blank_confounded
from cimlnk.dynamics.state.differential import state_tests
from cimlnk.populations.depth import at_depth
from cimlnk.stats.composition import aitchison, jensen_shannon

from .fits_together import design_of, together

Floats = NDArray[np.float64]
DAYS = {"pre": -7, "D7": 7, "D28": 28, "D60": 60}
TREATED, CONTROL = "CIML", "IL2_only"
MEAN = np.array([0.14, 0.34, 0.22, 0.16, 0.06, 0.02, 0.06])
PATIENT_SD, SAMPLE_SD, BATCH_SD = 0.45, 0.25, 0.3  # of log shares; of markers the same
LEVEL = 0.05
MARKERS, GENES, HOODS, COMBINATIONS = 24, 150, 60, 24
DEPTH_GENES, DEPTH_CELLS = 12, 60


@dataclass(frozen=True)
class Plan:
    """How a cohort without effect was measured.

    Parameters
    ----------
    arms
        Patients of the treated arm, and of the control arm (0: none).
    batches
        ``one``, ``nested`` (two patients a run) or ``time`` (a run a time point).
    depth
        Cells (molecules) on day 7 as a share of the other days'.
    noisy
        Noise on day 7 as a multiple of the other days'.
    missing
        Share of the later samples that were not drawn.
    """

    name: str
    arms: tuple[int, int] = (6, 0)
    batches: str = "one"
    depth: float = 1.0
    noisy: float = 1.0
    missing: float = 0.0


PLANS = (
    Plan("as planned"),
    Plan("a tenth of the depth on day 7", depth=0.1),
    Plan("patients nested in runs", batches="nested"),
    Plan("a run for every time point", batches="time"),
    Plan("day 7 two and a half times as noisy", noisy=2.5),
    Plan("20 % of the visits missing", missing=0.2),
    Plan("arms of eight and four", arms=(8, 4)),
)


def sheet(plan: Plan, random: np.random.Generator) -> pd.DataFrame:
    """SAMPLES rows, with the noise and the depth of each."""
    rows = []
    for arm, n in zip((TREATED, CONTROL), plan.arms, strict=True):
        for i in range(n):
            for j, (timepoint, day) in enumerate(DAYS.items()):
                if j and random.random() < plan.missing:
                    continue
                batch = {"one": 0, "nested": i // 2, "time": j}[plan.batches]
                rows.append((f"{arm}{i}_{timepoint}", f"{arm}{i}", day, timepoint, arm, f"run{batch}"))
    samples = pd.DataFrame(rows, columns=["sample", "patient", "day", "timepoint", "arm", "batch"])
    early = samples["timepoint"] == "D7"
    return samples.assign(
        tissue_or_product="blood", modality="cytof", noise=np.where(early, plan.noisy, 1.0),
        depth=np.where(early, plan.depth, 1.0),
    )  # fmt: skip


def latent(samples: pd.DataFrame, parts: int, random: np.random.Generator) -> Floats:
    """Samples × parts: patients' own levels, what runs add, and the noise of each sample; no effect of time."""
    _, patient = np.unique(samples["patient"], return_inverse=True)
    runs, batch = np.unique(samples["batch"], return_inverse=True)
    own = random.normal(0, PATIENT_SD, (patient.max() + 1, parts))[patient]
    shift = random.normal(0, BATCH_SD if len(runs) > 1 else 0.0, (len(runs), parts))[batch]
    return own + shift + random.normal(0, SAMPLE_SD, own.shape) * samples["noise"].to_numpy()[:, None]


def _depths(samples: pd.DataFrame, between: tuple[int, int], random: np.random.Generator) -> NDArray[np.int64]:
    drawn = np.exp(random.uniform(*np.log(between), len(samples))) * samples["depth"].to_numpy()
    return np.maximum(drawn, 60).astype(np.int64)


def _multinomial(logs: Floats, cells: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    share = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    return np.array([random.multinomial(n, s) for n, s in zip(cells, share, strict=True)])


def absolutes(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Cells per microlitre of the populations, which share the count of NK cells; runs do not touch blood counts."""
    cells = _depths(samples, (600, 6000), random)
    counts = _multinomial(np.log(MEAN) + latent(samples, len(MEAN), random), cells, random).T.astype(float)
    nk = latent(samples.assign(batch="one"), 1, random)[:, 0] * 1.5 + 3
    values = np.log2(np.exp(nk) * (counts + 0.5) / (cells + 1.0))
    observed = samples.set_index("sample", drop=False)
    design = design_of(observed, "auto", "pre", reference_arm=_reference(samples), min_patients=3)
    names = [f"population {k + 1}" for k in range(len(MEAN))]
    tests = absolute_tests(values, names, observed, design=design, seed=0, cells=(counts, cells.astype(float)))
    table = blank_confounded(pd.concat(tests, ignore_index=True), observed, [q.contrast for q in design.questions])
    return table.assign(modality="cytof")


def all_nk(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Cells per microlitre of all NK cells: one row, which can learn no noise from others, and no matter of runs."""
    nk = latent(samples.assign(batch="one"), 1, random).T * 1.5 / np.log(2)
    observed = samples.set_index("sample", drop=False)
    design = design_of(observed, "auto", "pre", reference_arm=_reference(samples), min_patients=3)
    tests = absolute_tests(nk, ["NK"], observed, design=design, seed=0, cells=None)
    return pd.concat([t.assign(test=t["test"] + " of all NK cells") for t in tests], ignore_index=True)


def abundances(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Shares of the populations and their log-ratios; no blood was counted, :func:`absolutes` has the tests of that."""
    cells = _depths(samples, (600, 6000), random)
    logs = np.log(MEAN) + latent(samples, len(MEAN), random)
    counts = _multinomial(logs, cells, random)
    parts = []
    names = [f"population {k + 1}" for k in range(len(MEAN))]
    for name, y in [*zip(names, counts.T, strict=True), ("NK", cells)]:
        share = y / cells
        parts.append(
            samples.assign(
                population=name, n_cells=y.astype(float), n_nk=cells.astype(float), fraction=share,
                nk_per_ul=np.nan, cells_per_ul=np.nan,
            )
        )  # fmt: skip
    patients = samples[["patient", "arm"]].drop_duplicates()
    table = pd.concat(parts, ignore_index=True).drop(columns="batch")
    return abundance_tests(table, samples, patients, baseline="pre", reference_arm=_reference(samples))


def _reference(samples: pd.DataFrame) -> str | None:
    return CONTROL if (samples["arm"] == CONTROL).any() else None


def states(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Medians of markers, with the error of a median of as many cells as there are."""
    cells = _depths(samples, (300, 3000), random)
    values = (
        2 + latent(samples, MARKERS, random) + random.normal(0, 1.2, (len(samples), MARKERS)) / np.sqrt(cells)[:, None]
    )
    return _state(samples, values, cells, modality="cytof")


def gene_states(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Genes of cells sequenced to unequal depth, brought to one as the run does."""
    depth = np.exp(random.uniform(np.log(2500), np.log(6000), len(samples))) * np.maximum(samples["depth"], 0.25)
    level = np.exp(np.log(3e-4) + random.normal(0, 1, DEPTH_GENES) + latent(samples, DEPTH_GENES, random))
    values = np.empty((len(samples), DEPTH_GENES))
    common = max(0.75 * depth.min(), 500.0)
    for i, d in enumerate(depth):
        own = np.maximum(d * np.exp(random.normal(0, 0.2, DEPTH_CELLS)), common)
        counts = random.poisson(own[:, None] * level[i]).astype(float)
        values[i] = at_depth(counts, own, common)[0].mean(axis=0)
    return _state(samples.assign(modality="rna"), values, np.full(len(samples), DEPTH_CELLS), modality="rna")


def _state(samples: pd.DataFrame, values: Floats, cells: NDArray[np.int64], *, modality: str) -> pd.DataFrame:
    n = values.shape[1]
    long = pd.DataFrame(
        {
            "sample": np.repeat(samples["sample"].to_numpy(), n), "population": "NK",
            "feature": np.tile([f"m{j}" for j in range(n)], len(samples)), "n_cells": np.repeat(cells, n),
            "median": values.ravel(), "mean": values.ravel(), "fraction_positive": np.nan,
        }
    )  # fmt: skip
    return state_tests(
        long, samples, modality=modality, baselines=["pre"], measures=["median"], reference_arm=_reference(samples)
    )


def expression(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    mean = np.exp(random.uniform(np.log(20), np.log(3000), GENES))
    depth = samples["depth"].to_numpy() * np.exp(random.normal(0, 0.3, len(samples)))
    rate = mean * np.exp(latent(samples, GENES, random)) * depth[:, None]
    counts = pd.DataFrame(random.poisson(rate).T, columns=samples["sample"], index=[f"g{i}" for i in range(GENES)])
    return expression_tests(counts, samples, "NK", baselines=["pre"], reference_arm=_reference(samples))


def hoods(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    cells = _depths(samples, (1000, 4000), random)
    rate = np.exp(np.log(0.02) + latent(samples, HOODS, random)) * cells[:, None]
    found = neighbourhood_tests(
        random.poisson(rate).T, cells, np.ones(HOODS), samples=samples, baselines=["pre"],
        reference_arm=_reference(samples),
    )  # fmt: skip
    return found.assign(test="neighbourhoods", method="quasi_likelihood_f")


def distances(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Tests of patients on compositions and receptor combinations in which patients have no levels of their own."""
    return _distances(samples, random, owned=False)


def time_distances(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Tests of time on compositions and receptor combinations in which patients have levels of their own."""
    return _distances(samples, random, owned=True)


def _distances(samples: pd.DataFrame, random: np.random.Generator, *, owned: bool) -> pd.DataFrame:
    parts = []
    for what, n in (("composition", len(MEAN)), ("receptors", COMBINATIONS)):
        logs = random.normal(0, 1, n) + latent(samples, n, random)
        if not owned:
            _, batch = np.unique(samples["batch"], return_inverse=True)
            runs = random.normal(0, BATCH_SD if batch.max() else 0.0, (batch.max() + 1, n))[batch]
            noise = random.normal(0, SAMPLE_SD, logs.shape) * samples["noise"].to_numpy()[:, None]
            logs = random.normal(0, 1, n) + noise + runs
        counts = pd.DataFrame(
            _multinomial(logs, _depths(samples, (600, 6000), random), random), index=samples["sample"]
        )
        small = thinned(pd.DataFrame(counts), 20, int(random.integers(2**31)))
        d = (jensen_shannon if what == "receptors" else aitchison)(small.to_numpy())
        of = samples.set_index("sample", drop=False).loc[small.index]
        ask = time_tests if owned else patient_tests
        found = ask(d, of, modality="cytof", what=what, permutations=99, seed=int(random.integers(2**31)))
        parts.append(found.assign(test=lambda t, w=what: t["test"] + ", " + w))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Family:
    """Tests made by one part of the library.

    Parameters
    ----------
    make
        All tests of one cohort.
    stages
        Modules of the library behind it; what other modules say makes none of its pieces old.
    """

    make: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
    stages: tuple[str, ...]


_ABUNDANCE = ("dynamics/abundance/differential.py",)
_STATE = ("dynamics/state/differential.py",)
_REPERTOIRE = ("dynamics/repertoire/differential.py", "stats/composition.py")
FAMILIES: dict[str, Family] = {
    "cells per microlitre": Family(absolutes, _ABUNDANCE),
    "all NK cells": Family(all_nk, _ABUNDANCE),
    "abundance": Family(abundances, _ABUNDANCE),
    "marker state": Family(states, _STATE),
    "gene state": Family(gene_states, (*_STATE, "populations/depth.py")),
    "expression": Family(expression, ("dynamics/expression/differential.py",)),
    "neighbourhoods": Family(hoods, ("dynamics/neighbourhoods/differential.py",)),
    "distances": Family(distances, _REPERTOIRE),
    "distances of times": Family(time_distances, _REPERTOIRE),
}
#: Parts of the contrasts that are counted apart: all, those of day 7 within arms, those between arms.
PARTS = ("all", "day 7", "arms")


def counted(plan: str, family: str, *, start: int, stop: int, seed: int) -> pd.DataFrame:
    """Tests and rejections at .05 of cohorts `start` to `stop`; one row a cohort, test and method.

    Cohort i is the same whichever others are made.
    """
    of = next(p for p in PLANS if p.name == plan)

    def made(i: int) -> pd.DataFrame:
        random = rng(seed, "designs", plan, family, i)
        return FAMILIES[family].make(sheet(of, random), random)

    rows = []
    for i, table in enumerate(together(made, range(start, stop)), start):
        for (test, method), part in table.groupby(["test", "method"], sort=True):
            rows.append({"plan": plan, "family": family, "cohort": i, "test": test, "method": method} | _counts(part))
    return pd.DataFrame(rows)


def _counts(part: pd.DataFrame) -> dict[str, object]:
    known = part[part["p"].notna()]
    between = known["contrast"].str.contains(" vs .*: ").to_numpy(bool)
    early = known["contrast"].str.contains("D7").to_numpy(bool) & ~between
    hit = (known["p"] <= LEVEL + 1e-12).to_numpy(bool)  # of 99 orders p below .05 would be a level of .04
    why = part.loc[part["p"].isna(), "reason"].dropna()
    counts: dict[str, object] = {"asked": len(part), "reason": why.mode().iloc[0] if len(why) else ""}
    for name, which in zip(PARTS, (np.ones(len(known), dtype=bool), early, between), strict=True):
        counts |= {f"tests, {name}": int(which.sum()), f"hits, {name}": int(hit[which].sum())}
    return counts | {
        "least_p": known["p_floor"].median() if "p_floor" in known and known["p_floor"].notna().any() else np.nan
    }
