"""Differential abundance: shares, absolute counts and log-ratios of every population, each by a test fit for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.dynamics.contrasts import differences
from cimlnk.dynamics.designs import Design, Question, covariates, make_design
from cimlnk.dynamics.methods import noise_of
from cimlnk.dynamics.results import NUMBERS, blank_confounded, blank_rows, blank_separated, from_tested, wald, with_fdr
from cimlnk.stats.beta_binomial import fit_counts
from cimlnk.stats.contrast_noise import ContrastNoise, log_odds_scatter, widened
from cimlnk.stats.exact import relabel, sign_flip
from cimlnk.stats.linear_mixed import random_intercept
from cimlnk.stats.paired import moderated_paired, welch
from cimlnk.stats.separation import is_separated
from cimlnk.stats.signed_rank import signed_rank

Floats = NDArray[np.float64]
Cells = tuple[Floats, Floats]
LN2 = float(np.log(2.0))


def abundance_tests(
    abundance: pd.DataFrame,
    samples: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    baseline: str,
    formula: str = "auto",
    reference_arm: str | None = None,
    min_patients: int = 3,
    min_nk_cells: int = 50,
    seed: int = 0,
) -> pd.DataFrame:
    """Test every population at every blood time point against the baseline, and the arms against each other.

    Rows of one contrast differ by the column `test`:

    - ``abundance`` (the default to read): share of NK cells, beta-binomial model (:mod:`cimlnk.stats.beta_binomial`);
    - ``absolute``: log2 cells/µL, linear mixed model: it answers whether a rise is more than compositional;
    - ``clr``: log2 share over the geometric mean of all populations, linear mixed model: a change that the growth of
      one other population cannot feign;
    - ``abundance_paired``, ``absolute_paired``: t test of per-patient differences, variances moderated over
      populations. It needs no model of the other days;
    - ``abundance_signflip``, ``absolute_signflip``, ``abundance_signedrank``, ``absolute_signedrank``: exact tests on
      per-patient differences, `p_floor` their least p; between arms ``…_relabelling`` instead.

    Parameters
    ----------
    abundance, samples, patients
        ABUNDANCE, SAMPLES and PATIENTS. Covariates of the formula may stand in either sheet.
    baseline
        Baseline time point.
    formula, reference_arm, min_patients
        See :func:`.designs.make_design`.
    min_nk_cells
        Samples with fewer NK cells in the file are not used for shares.
    seed
        Only used where more than 16 patients make sign flips too many to enumerate.

    Returns
    -------
    DataFrame
        TESTS. FDR is taken over the populations of one test, method, modality and contrast; `primary` are the three
        models of the first three points.
    """
    parts = []
    blood = abundance[abundance["tissue_or_product"] == "blood"]
    for modality, rows in blood.groupby("modality", sort=True):
        facts = covariates(samples[samples["modality"] == modality], patients)
        settings: dict[str, Any] = {
            "formula": formula,
            "baseline": baseline,
            "reference_arm": reference_arm,
            "min_patients": min_patients,
        }
        parts.append(_named(rows, facts, settings, min_nk_cells=min_nk_cells, seed=seed).assign(modality=modality))
        parts.append(_all_nk(rows, patients, settings, seed=seed).assign(modality=modality))
    return with_fdr(parts)


def _named(
    rows: pd.DataFrame, facts: pd.DataFrame, settings: Mapping[str, Any], *, min_nk_cells: int, seed: int
) -> pd.DataFrame:
    """All tests of the named populations of one modality."""
    used = rows[rows["sample"].notna() & (rows["n_nk"] >= min_nk_cells) & (rows["population"] != NK)]
    cells = used.pivot(index="sample", columns="population", values="n_cells").sort_index()
    names = [str(c) for c in cells.columns if c != UNASSIGNED]
    observed = facts.set_index("sample", drop=False).reindex(cells.index)
    if len(observed) < 3 or not names:
        return pd.DataFrame()
    total = cells.sum(axis=1).to_numpy(float)
    counts = cells[names].to_numpy(float).T
    design = make_design(observed, **settings)
    parts = [_counts_model(counts, total, names, design=design, observed=observed)]

    odds = _frame(np.log2((counts + 0.5) / (total - counts + 0.5)), names, observed)
    parts.append(
        _by_patient(
            "abundance", "log2 odds ratio", odds, observed=observed, design=design, seed=seed, cells=(counts, total)
        )
    )
    closed = np.log2(cells.to_numpy(float) + 0.5)
    ratios = (closed - closed.mean(axis=1, keepdims=True)).T
    ratios = ratios[[list(cells.columns).index(name) for name in names]]
    parts.append(
        _linear_model(
            "clr",
            "log2 ratio to the mean",
            ratios,
            names=names,
            design=design,
            observed=observed,
            cells=(counts, total),
        )
    )

    nk = rows[rows["sample"].notna() & (rows["population"] == NK)].set_index("sample")["nk_per_ul"]
    per_ul = nk.reindex(cells.index).to_numpy(float)
    known = np.isfinite(per_ul) & (per_ul > 0)
    if known.sum() >= 3:
        value = np.log2(per_ul[known] * (counts[:, known] + 0.5) / (total[known] + 1.0))
        measured = observed[known]
        held = (counts[:, known], total[known])
        parts += absolute_tests(value, names, measured, design=make_design(measured, **settings), seed=seed, cells=held)
    return blank_confounded(
        pd.concat(parts, ignore_index=True), observed, [question.contrast for question in design.questions]
    )


def _all_nk(rows: pd.DataFrame, patients: pd.DataFrame, settings: Mapping[str, Any], *, seed: int) -> pd.DataFrame:
    """The absolute tests of all NK cells, which use days with a count but no file too."""
    nk = rows[(rows["population"] == NK) & (rows["cells_per_ul"] > 0)]
    daily = nk.groupby(["patient", "arm", "day", "timepoint"], sort=True)["cells_per_ul"].mean().reset_index()
    if len(daily) < 3:
        return pd.DataFrame()
    daily["sample"] = daily["patient"] + ":" + daily["day"].astype(str)
    # Only what the patients sheet knows can be a covariate of a day without a file.
    auto = {**settings, "formula": "auto"}
    observed = covariates(daily, patients).set_index("sample", drop=False)
    value = np.log2(observed["cells_per_ul"].to_numpy(float))[None, :]
    return pd.concat(
        absolute_tests(value, [NK], observed, design=make_design(observed, **auto), seed=seed, cells=None),
        ignore_index=True,
    )


def absolute_tests(
    value: Floats, names: list[str], observed: pd.DataFrame, *, design: Design, seed: int, cells: Cells | None
) -> list[pd.DataFrame]:
    """The tests ``absolute…`` of :func:`abundance_tests` on log2 cells per microlitre, populations × samples.

    `cells` (counts, totals) tells where they rest on pseudo-counts; None: on none.
    """
    model = _linear_model("absolute", "log2 fold", value, names=names, design=design, observed=observed, cells=cells)
    return [
        model,
        _by_patient(
            "absolute",
            "log2 fold",
            _frame(value, names, observed),
            observed=observed,
            design=design,
            seed=seed,
            cells=cells,
        ),
    ]


def _frame(values: Floats, names: list[str], observed: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(values, index=pd.Index(names, name="population"), columns=observed["sample"].tolist())


def _noise(residual: Floats, variance: Floats, *, question: Question, observed: pd.DataFrame) -> list[ContrastNoise]:
    of = {c: np.asarray(observed[c], dtype=object).astype(str) for c in ("patient", "arm", "timepoint")}
    return noise_of(residual, variance, question.contrast, **of)


def _counts_model(
    counts: Floats, total: Floats, names: list[str], *, design: Design, observed: pd.DataFrame
) -> pd.DataFrame:
    method = "beta_binomial_mixed"
    asked = any(q.weights is not None for q in design.questions)
    fit = fit_counts(counts, total, design.matrix, group=design.group) if asked else None
    scatter = (
        log_odds_scatter(counts, total, fit, design=design.matrix, group=design.group) if fit is not None else None
    )
    parts = []
    for question in design.questions:
        result = blank_rows("abundance", "log2 odds ratio", names, contrast=question.contrast.name, method=method)
        result["n_patients"], result["reason"] = question.n_patients, question.reason
        if question.weights is not None and fit is not None and scatter is not None:
            w = question.weights
            noise = _noise(*scatter, question=question, observed=observed)
            se, df = widened(fit.standard_error(w), design.df, *noise)
            wald(result, fit.beta @ w / LN2, se / LN2, df=df)
            result["converged"] = fit.converged
            lost = blank_separated(result, [is_separated(y, total, design.matrix, weights=w) for y in counts])
            stuck = ~result["converged"] & ~lost
            result.loc[stuck, NUMBERS] = np.nan
            result.loc[stuck, "reason"] = "the fit did not converge"
        parts.append(result)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _linear_model(
    test: str,
    unit: str,
    values: Floats,
    *,
    names: list[str],
    design: Design,
    observed: pd.DataFrame,
    cells: Cells | None,
) -> pd.DataFrame:
    """Linear mixed model of every row of `values`; `cells` (counts, totals) tells where they rest on pseudo-counts."""
    fits = [random_intercept(v, design.matrix, design.group) for v in values]
    residual = values - np.array([f.beta for f in fits]) @ design.matrix.T  # NaN where nothing was fitted
    variance = np.array([f.sigma2 for f in fits])[:, None] + np.zeros_like(values)
    parts = []
    for question in design.questions:
        result = blank_rows(test, unit, names, contrast=question.contrast.name, method="linear_mixed")
        result["n_patients"], result["reason"] = question.n_patients, question.reason
        if question.weights is not None:
            w = question.weights
            good = np.array([f.converged for f in fits])
            effect = np.array([f.beta @ w if f.converged else np.nan for f in fits])
            se = np.array([np.sqrt(w @ f.cov @ w) if f.converged else np.nan for f in fits])
            se, df = widened(se, design.df, *_noise(residual, variance, question=question, observed=observed))
            wald(result, effect, se, df=df)
            result["converged"] = good
            result["reason"] = [None if f.converged else f.reason for f in fits]
            if cells is not None:
                blank_separated(result, [is_separated(y, cells[1], design.matrix, weights=w) for y in cells[0]])
        parts.append(result)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _by_patient(
    test: str,
    unit: str,
    values: pd.DataFrame,
    *,
    observed: pd.DataFrame,
    design: Design,
    seed: int,
    cells: Cells | None,
) -> pd.DataFrame:
    """Tests of per-patient differences: t and exact ones, within an arm and between arms."""
    parts = []
    names = [str(n) for n in values.index]
    for question in design.questions:
        c = question.contrast
        sides = [
            differences(values, observed, arm, timepoint=c.timepoint, baseline=c.baseline).to_numpy(float)
            for arm in c.arms
        ]
        if len(sides) == 1:
            tested = {
                "paired": ("paired_moderated_t", moderated_paired(sides[0])),
                "signflip": ("sign_flip", sign_flip(sides[0], seed=seed)),
                "signedrank": ("signed_rank", signed_rank(sides[0])),
            }
        else:
            tested = {
                "paired": ("welch_t", welch(sides[0], sides[1])),
                "relabelling": ("relabelling", relabel(sides[0], sides[1], seed=seed)),
            }
        for suffix, (method, found) in tested.items():
            result = from_tested(
                f"{test}_{suffix}", unit, names, contrast=c.name, method=method, found=found, primary=False
            )
            if suffix == "paired" and cells is not None and question.weights is not None:
                w = question.weights
                blank_separated(result, [is_separated(y, cells[1], design.matrix, weights=w) for y in cells[0]])
            parts.append(result)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
