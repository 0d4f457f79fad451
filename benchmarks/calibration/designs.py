"""Type I error of every family of tests where designs are worse than planned; writes the table of docs/six-patients.md.

Run as ``./run python benchmarks/calibration/designs.py --cohorts 80``. Nothing changes over time in any cohort.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # run by its path, a package is not on the path

from cimlnk.common.seeds import rng  # noqa: E402
from cimlnk.dynamics.abundance.differential import absolute_tests, abundance_tests  # noqa: E402
from cimlnk.dynamics.designs import make_design  # noqa: E402
from cimlnk.dynamics.expression.differential import expression_tests  # noqa: E402
from cimlnk.dynamics.neighbourhoods.differential import neighbourhood_tests  # noqa: E402
from cimlnk.dynamics.repertoire.differential import patient_tests, thinned, time_tests  # noqa: E402
from cimlnk.dynamics.results import blank_confounded  # noqa: E402
from cimlnk.dynamics.state.differential import state_tests  # noqa: E402
from cimlnk.populations.depth import at_depth  # noqa: E402
from cimlnk.stats.composition import aitchison, jensen_shannon  # noqa: E402

Floats = NDArray[np.float64]
DAYS = {"pre": -7, "D7": 7, "D28": 28, "D60": 60}
TREATED, CONTROL = "CIML", "IL2_only"
MEAN = np.array([0.14, 0.34, 0.22, 0.16, 0.06, 0.02, 0.06])
PATIENT_SD, SAMPLE_SD, BATCH_SD = 0.45, 0.25, 0.3  # of log shares; of markers the same
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
    design = make_design(observed, "auto", "pre", reference_arm=_reference(samples), min_patients=3)
    names = [f"population {k + 1}" for k in range(len(MEAN))]
    tests = absolute_tests(values, names, observed, design=design, seed=0, cells=(counts, cells.astype(float)))
    table = blank_confounded(pd.concat(tests, ignore_index=True), observed, [q.contrast for q in design.questions])
    return table.assign(modality="cytof")


def abundances(samples: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    cells = _depths(samples, (600, 6000), random)
    logs = np.log(MEAN) + latent(samples, len(MEAN), random)
    counts = _multinomial(logs, cells, random)
    # the laboratory counts blood, whatever run the files were acquired in
    nk = np.exp(latent(samples.assign(batch="one"), 1, random)[:, 0] * 1.5 + 3)
    parts = []
    names = [f"population {k + 1}" for k in range(len(MEAN))]
    for name, y in [*zip(names, counts.T, strict=True), ("NK", cells)]:
        share = y / cells
        parts.append(
            samples.assign(
                population=name, n_cells=y.astype(float), n_nk=cells.astype(float), fraction=share, nk_per_ul=nk,
                cells_per_ul=nk * share,
            )
        )  # fmt: skip
    patients = samples[["patient", "arm"]].drop_duplicates()
    table = pd.concat(parts, ignore_index=True).drop(columns="batch")
    found = abundance_tests(table, samples, patients, baseline="pre", reference_arm=_reference(samples))
    return found[~found["test"].str.startswith("absolute")]


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
            logs = random.normal(0, 1, n) + random.normal(0, SAMPLE_SD, logs.shape) + runs
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


Make = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
#: Family -> its tests of one cohort, and how many cohorts it needs for one of abundance (many genes make few do).
FAMILIES: dict[str, tuple[Make, float]] = {
    "cells per microlitre": (absolutes, 5.0),
    "abundance": (abundances, 1.0),
    "marker state": (states, 0.5),
    "gene state": (gene_states, 0.5),
    "expression": (expression, 0.25),
    "neighbourhoods": (hoods, 0.4),
    "distances": (distances, 1.5),
    "distances of times": (time_distances, 16.0),
}


def study(plans: tuple[Plan, ...], families: list[str], cohorts: int, *, seed: int) -> Iterator[pd.DataFrame]:
    """By plan, test and method: p below .05 of all contrasts, of day 7, of arms; and the share that is not answered."""
    for plan in plans:
        for family in families:
            make, share = FAMILIES[family]
            found = []
            for i in range(max(round(cohorts * share), 2)):
                random = rng(seed, "designs", plan.name, family, i)
                samples = sheet(plan, random)
                found.append(make(samples, random).assign(cohort=i))
            yield rates(pd.concat(found, ignore_index=True)).assign(plan=plan.name, family=family)


def rates(table: pd.DataFrame) -> pd.DataFrame:
    """One row a test and method; standard errors from cohorts, which are the units."""
    rows = []
    for (test, method), part in table.groupby(["test", "method"], sort=True):
        known = part[part["p"].notna()]
        hit = known["p"] < 0.05
        between = known["contrast"].str.contains(" vs .*: ")
        early = known["contrast"].str.contains("D7")
        by_cohort = hit.groupby(known["cohort"]).mean()
        why = part.loc[part["p"].isna(), "reason"].dropna()
        rows.append(
            {
                "test": test, "method": method, "type_1": hit.mean() if len(known) else np.nan,
                "se": by_cohort.std(ddof=1) / np.sqrt(len(by_cohort)) if len(by_cohort) > 1 else np.nan,
                "day_7": hit[early & ~between].mean() if early.any() else np.nan,
                "between_arms": hit[between].mean() if between.any() else np.nan,
                "least_p": known["p_floor"].median() if "p_floor" in known and len(known) else np.nan,
                "answered": len(known) / len(part), "reason": why.mode().iloc[0] if len(why) else "",
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def as_markdown(table: pd.DataFrame) -> str:
    """Tests by plans: the rate over all contrasts, and on day 7 where it is another."""
    plans = [p.name for p in PLANS if p.name in set(table["plan"])]
    lines = ["| test, method | " + " | ".join(plans) + " |", "| --- |" + " --- |" * len(plans)]
    for (_, test, method), part in table.groupby(["family", "test", "method"], sort=False):
        cells = []
        for plan in plans:
            row = part[part["plan"] == plan]
            if not len(row) or row["answered"].iloc[0] == 0:
                cells.append("not estimable" if len(row) else "not measured")
                continue
            one = row.iloc[0]
            special = one["between_arms"] if np.isfinite(one["between_arms"]) else one["day_7"]
            differs = np.isfinite(special) and plan not in ("as planned", "patients nested in runs")
            cells.append(f"{one['type_1']:.3f}" + (f" ({special:.3f})" if differs else ""))
        lines.append(f"| {test}, {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Print the table and write it into `--out`; rows of plans and families that are not asked for stay."""
    parser = argparse.ArgumentParser(prog="python benchmarks/calibration/designs.py", description=__doc__)
    parser.add_argument(
        "--cohorts", type=int, default=80, help="cohorts for each plan (other families: their share of it)"
    )
    parser.add_argument("--families", nargs="+", default=list(FAMILIES), choices=list(FAMILIES))
    names = [p.name for p in PLANS]
    parser.add_argument("--plans", nargs="+", default=names, choices=names)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/figures/calibration_designs.csv"))
    options = parser.parse_args(arguments)
    plans = tuple(p for p in PLANS if p.name in options.plans)
    table = pd.read_csv(options.out) if options.out.exists() else pd.DataFrame(columns=["plan", "family"])
    for part in study(plans, options.families, options.cohorts, seed=options.seed):
        again = (table["plan"] == part["plan"].iloc[0]) & (table["family"] == part["family"].iloc[0])
        table = pd.concat([table[~again], part], ignore_index=True)
        order = [list(FAMILIES).index(f) * len(PLANS) + [p.name for p in PLANS].index(n)
                 for f, n in zip(table["family"], table["plan"], strict=True)]  # fmt: skip
        table = table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)
        table.to_csv(options.out, index=False, float_format="%.4g")
    print(as_markdown(table))


if __name__ == "__main__":
    main()
