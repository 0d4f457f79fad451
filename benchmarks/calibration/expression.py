"""Genes of pseudobulks at six patients: level and recall of the expression tests beside the true dispersions.

Run as ``./run python benchmarks/calibration/expression.py``; ``--pydeseq2`` adds that test (a minute a scenario).
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cimlnk.common.seeds import rng
from cimlnk.dynamics.expression.differential import expression_tests, size_factors
from cimlnk.stats.count_glm import fit_nb
from cimlnk.stats.fdr import fdr

Floats = NDArray[np.float64]
#: Spread of the genes' log dispersions (sd), and slope of the dispersion on 1 / mean; the level is 0.01.
SCENARIOS = {
    "one dispersion": (0.0, 0.0),
    "trend": (0.0, 1.0),
    "trend, sd 0.3": (0.3, 0.5),
    "trend, sd 0.6": (0.6, 0.5),
}


class Cohort(NamedTuple):
    """Genes x samples counts, SAMPLES rows, true dispersion and log2 effect of every gene."""

    counts: pd.DataFrame
    samples: pd.DataFrame
    dispersion: Floats
    effect: Floats


def simulate(
    spread: float, slope: float, seed: int, *, genes: int = 3000, patients: int = 6, planted: int = 40
) -> Cohort:
    """Six pairs; mean counts of 10 to 5,000, patients apart by 0.4 on the log scale, unequal depth, effects of +1 and
    -1 log2 in `planted` genes spread evenly over all expression bands."""
    random = rng(seed, "calibration", "expression", spread, slope)
    mean = np.exp(random.uniform(np.log(10), np.log(5000), genes))
    dispersion = (0.01 + slope / mean) * np.exp(random.normal(0, spread, genes))
    patient, time = np.repeat(np.arange(patients), 2), np.tile([0, 1], patients)
    effect = np.zeros(genes)
    chosen = np.argsort(mean)[np.linspace(20, genes - 21, planted).astype(int)]
    effect[chosen] = np.where(np.arange(planted) % 2, 1.0, -1.0)
    lasting = np.exp(random.normal(0, 0.4, (genes, patients)))[:, patient]
    mu = mean[:, None] * lasting * 2.0 ** (effect[:, None] * time) * np.exp(random.normal(0, 0.3, 2 * patients))
    counts = random.poisson(mu * random.gamma(1 / dispersion[:, None], dispersion[:, None], mu.shape))
    samples = pd.DataFrame(
        {"patient": [f"P{p}" for p in patient], "timepoint": np.where(time, "D7", "pre"), "day": np.where(time, 7, -7)}
    ).assign(arm="CIML", tissue_or_product="blood", modality="rna")
    samples["sample"] = samples["patient"] + "_" + samples["timepoint"]
    kept = (counts >= 10).sum(axis=1) >= 3
    names = np.array([f"G{i}" for i in range(genes)])
    frame = pd.DataFrame(counts[kept], index=names[kept], columns=samples["sample"])
    return Cohort(frame, samples, dispersion[kept], effect[kept])


def with_true_dispersions(cohort: Cohort) -> Floats:
    """p of the likelihood-ratio test that is given every gene's dispersion: the best that can be had."""
    y = cohort.counts.to_numpy(float)
    patient = cohort.samples["patient"].to_numpy()
    after = (cohort.samples["timepoint"] == "D7").to_numpy(float)
    blocks = (patient[:, None] == np.unique(patient)[None]).astype(float)
    offset = np.log(size_factors(y))
    full = fit_nb(y, np.column_stack([blocks, after]), offset, dispersion=cohort.dispersion)
    reduced = fit_nb(y, blocks, offset, dispersion=cohort.dispersion)
    return np.asarray(stats.chi2.sf(np.maximum(reduced.deviance - full.deviance, 0), 1))


def p_of(cohort: Cohort, method: str) -> Floats:
    if method == "true dispersions":
        return with_true_dispersions(cohort)
    table = expression_tests(cohort.counts, cohort.samples, "NK", baselines=["pre"], method=method)
    return table.set_index("feature")["p"].reindex(cohort.counts.index).to_numpy(float)


def expression_study(cohorts: int, seed: int, methods: tuple[str, ...] = ("true dispersions", "quasi")) -> pd.DataFrame:
    """Share of null genes at p < .05, and recall and false share at FDR .05, per scenario and method."""
    rows = []
    for scenario, (spread, slope) in SCENARIOS.items():
        drawn = [simulate(spread, slope, seed + i) for i in range(cohorts)]
        for method in methods:
            null, recall, false = [], [], []
            for cohort in drawn:
                p, planted = p_of(cohort, method), cohort.effect != 0
                called = fdr(p) < 0.05
                null.append((p[~planted] < 0.05).mean())
                recall.append(called[planted].mean())
                false.append((called & ~planted).sum() / max(called.sum(), 1))
            means = {"null_p05": np.mean(null), "recall": np.mean(recall), "false_share": np.mean(false)}
            rows.append({"scenario": scenario, "method": method, **means})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pydeseq2", action="store_true")
    options = parser.parse_args()
    chosen = ("true dispersions", "quasi", *(("pydeseq2",) if options.pydeseq2 else ()))
    print(expression_study(options.cohorts, options.seed, chosen).round(3).to_string(index=False))
