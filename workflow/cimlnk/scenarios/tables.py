"""Situations 13–15, 17 and 18: what tests may say of cohorts without an effect, confounded, or very small.

Cohorts are tables of cells per sample with the donors' own deviations, drawn here without any test in mind.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binom

from cimlnk.common.seeds import rng
from cimlnk.dynamics.abundance.differential import abundance_tests
from cimlnk.dynamics.abundance.shares import make_abundance
from cimlnk.dynamics.repertoire.differential import distance_tests
from cimlnk.simulate.latent import POPULATIONS

from .checks import Check, Scenario, at_least, at_most, holds

DAYS = {"pre": -7, "D7": 7, "D28": 28, "D60": 60}
MEAN = np.array([0.14, 0.34, 0.22, 0.16, 0.06, 0.01, 0.03, 0.04])
UNCERTAINTY = {"count_cv": 0.15, "fraction_overdispersion": 0.0005, "label_correlation": 0.01}
FEW_CELLS = {"min_nk": 20, "min_lymphocytes": 50, "min_baseline": 5}
DONOR_SD, VISIT_SD = 0.45, 0.20  # of log shares
CELLS = (300, 4000)  # unequal depth
EXACT = ("signflip", "signedrank")
NOMINAL = 0.05  # what a test promises
WRONGLY = 0.01  # chance that a situation whose tests all keep their promise misses one of all that it asks


class Cohort(NamedTuple):
    """ABUNDANCE, SAMPLES and PATIENTS of one cohort."""

    abundance: pd.DataFrame
    samples: pd.DataFrame
    patients: pd.DataFrame


def cohort(n: int, seed: int, *, batches: str = "spread") -> Cohort:
    """`n` patients with blood at four time points and no effect of time.

    Parameters
    ----------
    batches
        ``spread`` (two runs, every patient and time point in both), ``time`` (a run is a time point) or ``patients``
        (patients nested in runs).
    """
    random = rng(seed, "null cohort", n, batches)
    rows, cells, summary = [], [], []
    for i in range(n):
        donor = random.normal(0, DONOR_SD, len(MEAN))
        for j, (timepoint, day) in enumerate(DAYS.items()):
            batch = {"spread": (i + j) % 2, "time": j, "patients": i // 2}[batches]
            sample = f"P{i + 1}_{timepoint}"
            where = (sample, f"P{i + 1}", day, timepoint, "CIML", "blood", "cytof", f"{sample}.fcs", f"day{batch + 1}")
            rows.append(where)
            share = MEAN * np.exp(donor + random.normal(0, VISIT_SD, len(MEAN)))
            depth = int(np.exp(random.uniform(*np.log(CELLS))))
            counts = random.multinomial(depth, share / share.sum())
            names = np.repeat(np.array(POPULATIONS, dtype=object), counts)
            cells.append(pd.DataFrame({"sample": sample, "population": names, "confidence": 1.0}))
            summary.append((sample, depth * 8.0, depth, np.nan, np.nan, False, None))
    keys = ["sample", "patient", "day", "timepoint", "arm", "tissue_or_product", "modality", "path", "batch"]
    samples = pd.DataFrame(rows, columns=keys).assign(sha256=None)
    patients = pd.DataFrame({"patient": [f"P{i + 1}" for i in range(n)], "arm": "CIML"})
    readings = [
        (p, day, float(np.exp(random.normal(3, 0.4))), np.nan, np.nan, None)
        for p in patients["patient"]
        for day in DAYS.values()
    ]
    counted = pd.DataFrame(readings, columns=["patient", "day", "nk_per_ul", "lymphocytes_per_ul", "il2_dose", "event"])
    found = pd.DataFrame(
        summary, columns=["sample", "n_lymphocytes", "n_nk", "n_nk_low", "n_nk_high", "left_out", "reason"]
    )
    named = pd.concat(cells, ignore_index=True)
    abundance = make_abundance(
        {"cytof": named},
        {"cytof": found},
        samples,
        counts=counted,
        patients=patients,
        uncertainty=UNCERTAINTY,
        few_cells=FEW_CELLS,
    )
    return Cohort(abundance, samples, patients)


def tested(c: Cohort, seed: int) -> pd.DataFrame:
    """TESTS of the shares of a cohort."""
    return abundance_tests(c.abundance, c.samples, c.patients, baseline="pre", seed=seed)


def false_findings(n: int, cohorts: int, seed: int, *, batches: str = "spread") -> pd.DataFrame:
    """The tests with a p of several cohorts without an effect."""
    tables = []
    for i in range(cohorts):
        table = tested(cohort(n, 1000 * seed + i, batches=batches), seed)
        tables.append(table.assign(cohort=i))
    return pd.concat(tables, ignore_index=True).dropna(subset=["p"])


def allowed(n: float, asked: int) -> float:
    """Largest share of `n` independent draws that a rate of 5 % leaves room for: the upper limit of the binomial.

    With several rates `asked`, each has its part of the 1 % in which one of them exceeds its limit by chance.
    """
    draws = max(int(n), 1)
    return float(binom.ppf(1 - WRONGLY / asked, draws, NOMINAL)) / draws


def independent(hits: pd.Series, cohort: pd.Series) -> float:
    """How many independent draws rows of some cohorts are worth: rows of one cohort share counts and a baseline.

    By the scatter of the cohorts' own rates beside that of independent rows (the design effect); no fewer than there
    are cohorts, no more than there are rows.
    """
    rate, size = float(hits.mean()), len(hits) / cohort.nunique()
    if rate in (0.0, 1.0):
        return float(len(hits))
    effect = size * float(hits.groupby(cohort).mean().var()) / (rate * (1 - rate))
    return len(hits) / float(np.clip(effect, 1.0, size))


def rate(asked: str, hits: pd.Series, cohort: pd.Series, *, many: int) -> Check:
    """A rate of false findings against what 5 % leaves room for; one of `many`."""
    return at_most(asked, float(hits.mean()), allowed(independent(hits, cohort), many))


def null(seeds: int, small: bool) -> list[Check]:
    """Situation 13: with no effect over time, p below .05 and findings are as rare as chance allows."""
    checks = []
    sizes = (6,) if small else (6, 12)
    for n in sizes:
        parts = {seed: false_findings(n, 6 if small else 40, seed) for seed in range(1, seeds + 1)}
        table = pd.concat([t.assign(cohort=1000 * seed + t["cohort"]) for seed, t in parts.items()], ignore_index=True)
        many = 2 * len(sizes) * table["test"].nunique()
        families = []
        for test, rows in table.groupby("test"):
            words = f"{n} patients, {test}: share of p below .05"
            checks.append(rate(words, rows["p"] < NOMINAL, rows["cohort"], many=many))
            # a family: one test in one contrast; with nine tests and some contrasts most cohorts have a finding in one
            family = rows["fdr"].lt(NOMINAL).groupby([rows["cohort"], rows["contrast"]]).any().reset_index()
            words = f"{n} patients: families of p with a finding, worst test ({test})"
            families.append(rate(words, family["fdr"], family["cohort"], many=many))
        checks.append(max(families, key=lambda c: (not c.passed, c.value - c.bound)))
    return checks


def batch_is_time(seed: int, small: bool) -> list[Check]:
    """Situation 14: where every time point is a run of its own, contrasts over time are refused."""
    c = cohort(6, seed, batches="time")
    table = tested(c, seed)
    contrasts = table[table["test"].isin(("abundance", "paired"))]
    refused = contrasts["p"].isna() & contrasts["reason"].notna()
    return [
        at_least("contrasts over time that are refused with a reason", float(refused.mean()), 1.0),
        holds(
            "the reason names the batch",
            bool(refused.any() and contrasts["reason"].dropna().str.contains("batch|run").all()),
        ),
    ]


def _distances(n: int, seed: int, shift: float) -> tuple[np.ndarray, pd.DataFrame]:
    """Distances of profiles of samples whose patients are alike but whose runs differ."""
    random = rng(seed, "nested runs", n)
    c = cohort(n, seed, batches="patients")
    runs = {b: random.normal(0, shift, 12) for b in pd.unique(c.samples["batch"])}
    profile = np.array([runs[b] for b in c.samples["batch"]]) + random.normal(0, 1, (len(c.samples), 12))
    return np.linalg.norm(profile[:, None] - profile[None], axis=2), c.samples


def nested_batches(seeds: int, small: bool) -> list[Check]:
    """Situation 15: runs that differ, with patients nested in them, are no donor identity."""
    tests, tried = ("donor_identity", "permanova_patient"), seeds * (5 if small else 60)
    claimed = np.zeros(len(tests))
    for i in range(tried):
        distance, samples = _distances(6, 100 + i, 2.0)
        table = distance_tests(distance, samples, modality="cytof", what="receptors", permutations=199, seed=i)
        claimed += (table.set_index("test").loc[list(tests), "p"] < NOMINAL).to_numpy()
    asked = "cohorts in which donor identity is claimed of nested runs, worst test"
    return [at_most(asked, float(claimed.max()) / tried, allowed(tried, len(tests)))]


def few_patients(n: int, seed: int, small: bool) -> list[Check]:
    """Situations 17 and 18: tests say what `n` patients can tell at the most, and claim no more."""
    table = tested(cohort(n, seed), seed)
    if n == 1:
        return [
            at_most("one patient: tests with a p", float(table["p"].notna().mean()), 0.0),
            at_least("and with the reason in its place", float(table["reason"][table["p"].isna()].notna().mean()), 1.0),
        ]
    many = false_findings(n, 6 if small else 40, seed)
    exact = many[many["test"].str.contains("|".join(EXACT))]
    return [
        at_least(f"{n} patients: exact tests say the least p they can give", float(exact["p_floor"].min()), 0.2),
        at_least(f"{n} patients: and give none below it", float((exact["p"] >= exact["p_floor"] - 1e-12).mean()), 1.0),
        rate(f"{n} patients: share of p below .05", many["p"] < NOMINAL, many["cohort"], many=1),
    ]


def one_patient(seed: int, small: bool) -> list[Check]:
    """Situation 17: no p, and the reason in its place."""
    return few_patients(1, seed, small)


def three_patients(seed: int, small: bool) -> list[Check]:
    """Situation 18: no p below the least that three patients can give."""
    return few_patients(3, seed, small)


SCENARIOS = (
    Scenario("13", "no effect over time", null, together=True),
    Scenario("14", "every time point a run of its own", batch_is_time),
    Scenario("15", "patients nested in runs, no donor effect", nested_batches, together=True),
    Scenario("17", "one patient", one_patient),
    Scenario("18", "three patients", three_patients),
)
