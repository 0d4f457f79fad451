"""Differential expression of pseudobulks: patients as blocks, every arm's time points, one model per population."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.dynamics.contrasts import Contrast, contrasts
from cimlnk.dynamics.designs import contrast_design
from cimlnk.dynamics.results import blank_confounded, blank_rows
from cimlnk.stats.count_glm import ql_test, trended_dispersion
from cimlnk.stats.intervals import Z95
from cimlnk.stats.paired import few_pairs

Floats = NDArray[np.float64]
MAX_PRIOR_DF = 60.0  # thousands of genes tell the prior better than some dozens of overlapping neighbourhoods


class Design(NamedTuple):
    """Rows used (positions), design matrix with named columns, and patients that have both time points by contrast."""

    rows: NDArray[np.int64]
    matrix: pd.DataFrame
    patients: dict[Contrast, int]


def joint_design(samples: pd.DataFrame, todo: Sequence[Contrast]) -> Design:
    """``~ patient + arm:timepoint`` for all samples of patients with at least two time points.

    Patients are blocks, so differences between arms are differences of changes. The first time point of an arm is
    its reference and has no column; coefficients of the others are log changes against it, and any contrast is a
    difference of them.
    """
    repeated = samples.groupby("patient")["timepoint"].nunique()
    keep = samples["patient"].isin(repeated.index[repeated >= 2]).to_numpy()
    used = samples[keep]
    columns: dict[str, NDArray[np.float64]] = {}
    for patient in sorted(set(used["patient"])):
        columns[f"patient[{patient}]"] = (used["patient"] == patient).to_numpy(float)
    for arm in sorted(set(used["arm"])):
        of_arm = used["arm"] == arm
        days = used[of_arm].groupby("timepoint", sort=True)["day"].min().sort_values(kind="stable")
        for timepoint in days.index[1:]:
            columns[_name(arm, timepoint)] = (of_arm & (used["timepoint"] == timepoint)).to_numpy(float)
    counts = {}
    for contrast in todo:
        _, counts[contrast], _, _ = contrast_design(samples, contrast, np.ones(len(samples), dtype=np.int64))
    return Design(np.flatnonzero(keep), pd.DataFrame(columns, index=used["sample"].to_numpy()), counts)


def _name(arm: str, timepoint: str) -> str:
    return f"time[{arm}|{timepoint}]"


def contrast_vector(design: pd.DataFrame, contrast: Contrast) -> Floats:
    """Weights of the design's coefficients for a contrast; the reference time point of an arm has weight 0."""
    weights = np.zeros(design.shape[1])
    for arm, sign in zip(contrast.arms, (1.0, -1.0), strict=False):
        for timepoint, direction in ((contrast.timepoint, 1.0), (contrast.baseline, -1.0)):
            if _name(arm, timepoint) in design:
                weights[design.columns.get_loc(_name(arm, timepoint))] += sign * direction
    return weights


def expression_tests(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    population: str,
    *,
    baselines: Sequence[str],
    reference_arm: str | None = None,
    method: str = "quasi",
    min_patients: int = 3,
    min_count: int = 10,
    threads: int = 1,
) -> pd.DataFrame:
    """Test every gene of one population for every contrast.

    Parameters
    ----------
    counts
        Genes x samples, summed molecules of the population (samples with too few cells left out by the caller).
    samples
        SAMPLES rows in the order of the columns of `counts`.
    method
        ``quasi`` (default): the moderated quasi-likelihood F test on the two time points compared, with a dispersion
        that follows the genes' mean count. ``pydeseq2``: negative binomial Wald test with shrunken dispersions (Love
        2014, Genome Biol 15:550; PyDESeq2: Muzellec 2023) on one model of all samples; slower, and with six patients
        far too conservative.
    min_count
        A gene is tested if at least `min_patients` samples have this many molecules of it.

    Returns
    -------
    DataFrame
        Rows of TESTS with effects as log2 fold and Wald intervals, without FDR: the caller knows the family.
        A contrast with fewer than `min_patients` pairs has one row (feature missing) that says so.
    """
    todo = contrasts(samples, baselines, reference_arm)
    expressed = (counts >= min_count).sum(axis=1) >= min_patients
    genes = counts[expressed]
    design = joint_design(samples, todo)
    enough = [c for c in todo if design.patients[c] >= min_patients]
    parts = [
        _row(
            population,
            c,
            design.patients[c],
            reason=few_pairs(design.patients[c], min_patients),
        )
        for c in todo
        if c not in enough
    ]
    if genes.empty:
        parts += [_row(population, c, design.patients[c], reason=f"no gene has {min_count} molecules") for c in enough]
    elif enough and method == "quasi":
        parts += [_quasi(genes, samples, population, contrast=c, patients=design.patients[c]) for c in enough]
    elif enough:
        parts += _pydeseq2(genes, population, design, todo=enough, threads=threads)
    return blank_confounded(pd.concat(parts, ignore_index=True), samples, todo) if parts else pd.DataFrame()


def _pydeseq2(
    genes: pd.DataFrame, population: str, design: Design, *, todo: Sequence[Contrast], threads: int
) -> list[pd.DataFrame]:
    matrix = design.matrix
    if np.linalg.matrix_rank(matrix.to_numpy()) < matrix.shape[1]:
        reason = "time points of an arm are aliased with its patients"
        return [_row(population, c, design.patients[c], reason=reason) for c in todo]
    if len(matrix) <= matrix.shape[1]:
        reason = f"{len(matrix)} samples leave no degree of freedom for {matrix.shape[1]} coefficients"
        return [_row(population, c, design.patients[c], reason=reason) for c in todo]
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.default_inference import DefaultInference
    from pydeseq2.ds import DeseqStats

    used = genes.iloc[:, design.rows]
    used = used[used.sum(axis=1) > 0]
    inference = DefaultInference(n_cpus=threads)
    whole = int((used > 0).all(axis=1).sum())  # genes seen in every sample: what plain size factors are made from
    dds = DeseqDataSet(
        counts=used.T.astype(int).set_axis(matrix.index, axis=0),
        metadata=pd.DataFrame({"sample": matrix.index}, index=matrix.index),
        design=matrix,
        size_factors_fit_type="ratio" if whole >= 50 else "poscounts",
        inference=inference,
        quiet=True,
    )
    dds.deseq2()
    tables = []
    for contrast in todo:
        stats = DeseqStats(
            dds, contrast=contrast_vector(matrix, contrast), independent_filter=False, inference=inference, quiet=True
        )
        stats.summary()
        found = stats.results_df
        table = _rows(
            population, contrast, design.patients[contrast], features=list(found.index), method="negative_binomial_wald"
        )
        effect, se = found["log2FoldChange"].to_numpy(float), found["lfcSE"].to_numpy(float)
        p = found["pvalue"].to_numpy(float)
        table = table.assign(effect=effect, se=se, effect_low=effect - Z95 * se, effect_high=effect + Z95 * se, p=p)
        table["converged"] = np.isfinite(p)
        table["p_floor"] = np.where(np.isfinite(p), 0.0, np.nan)
        table["reason"] = np.where(np.isfinite(p), None, "an outlying count (Cook's distance) or no fit")  # type: ignore[call-overload]
        tables.append(table)
    return tables


def _quasi(
    genes: pd.DataFrame, samples: pd.DataFrame, population: str, *, contrast: Contrast, patients: int
) -> pd.DataFrame:
    columns, _, design, tested = contrast_design(samples, contrast, genes.sum(axis=0).to_numpy())
    used = genes.iloc[:, columns]
    used = used[used.sum(axis=1) > 0]
    y = used.to_numpy(float)
    offset = np.log(size_factors(y))
    dispersion = trended_dispersion(y, design, offset)
    result = ql_test(y, design, offset, column=tested, dispersion=dispersion, max_prior_df=MAX_PRIOR_DF)
    table = _rows(population, contrast, patients, features=list(used.index), method="quasi_likelihood_f")
    return table.assign(
        effect=result.effect,
        effect_low=result.low,
        effect_high=result.high,
        se=result.se,
        df=result.df,
        p=result.p,
        p_floor=np.where(np.isfinite(result.p), 0.0, np.nan),
        converged=result.converged,
        separated=result.separated,
        reason=np.where(result.converged, None, "no degree of freedom, or the fit did not converge"),  # type: ignore[call-overload]
    )


def size_factors(counts: Floats) -> Floats:
    """Median-of-ratios size factors (Anders & Huber 2010); library sizes where too few genes are in all samples."""
    everywhere = (counts > 0).all(axis=1)
    if everywhere.sum() < 50:
        return counts.sum(axis=0) / counts.sum(axis=0).mean()
    logs = np.log(counts[everywhere])
    return np.exp(np.median(logs - logs.mean(axis=1, keepdims=True), axis=0))


def _rows(
    population: str, contrast: Contrast, patients: int, *, features: Sequence[str | None], method: str
) -> pd.DataFrame:
    names = [population] * len(features)
    return blank_rows(
        "expression",
        "log2 fold",
        names,
        contrast=contrast.name,
        method=method,
        features=features,
        modality="rna",
        n_patients=patients,
    )


def _row(population: str, contrast: Contrast, patients: int, *, reason: str) -> pd.DataFrame:
    return _rows(population, contrast, patients, features=[None], method="none").assign(reason=reason)
