"""The tables of the dynamics stage: what was counted, how it moved, and what can be concluded from it."""

from __future__ import annotations

from cimlnk.common.tables import Schema

_SERIES = {
    "modality": ("str", "`cytof` or `rna`"),
    "patient": ("str", "patient id"),
    "arm": ("str", "study arm"),
    "population": ("str", "named subset, or `NK` for all NK cells"),
}

ABUNDANCE = Schema(
    "ABUNDANCE",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "sample": ("str?", "sample id; missing for a day with a blood count but no file of this modality"),
        "patient": ("str", "patient id"),
        "day": ("int", "day after infusion (0 = infusion)"),
        "timepoint": ("str", "name of the time point"),
        "arm": ("str", "study arm"),
        "tissue_or_product": ("str", "`blood`, `product` or `donor`"),
        "population": ("str", "named subset, `unassigned`, or `NK` for all NK cells"),
        "n_cells": ("float", "cells of the population in the file"),
        "n_nk": ("float", "NK cells in the file: the denominator of the fraction"),
        "fraction": ("float", "n_cells / n_nk"),
        "fraction_low": ("float", "lower 95 % limit: counting, gating and clustering error"),
        "fraction_high": ("float", "upper 95 % limit"),
        "nk_per_ul": ("float", "NK cells per microlitre of blood; NaN for product and donor"),
        "nk_per_ul_source": (
            "str?",
            "origin of nk_per_ul: `counts`, or lymphocytes/uL times a file's share",
        ),
        "cells_per_ul": ("float", "nk_per_ul x fraction"),
        "cells_per_ul_low": ("float", "lower 95 % limit; also the error of the blood count"),
        "cells_per_ul_high": ("float", "upper 95 % limit"),
        "reason": ("str?", "why a number of this row is NaN"),
    },
)

FOLDS = Schema(
    "FOLDS",
    {
        **_SERIES,
        "day": ("int", "day after infusion"),
        "baseline_day": ("float", "day of the pre-infusion blood value that is the denominator"),
        "fold_change": ("float", "cells/uL of the day over cells/uL of the baseline"),
        "fold_low": ("float", "lower 95 % limit"),
        "fold_high": ("float", "upper 95 % limit"),
        "reason": ("str?", "why the fold is NaN"),
    },
)

KINETICS = Schema(
    "KINETICS",
    {
        **_SERIES,
        "baseline_per_ul": ("float", "cells/uL before infusion"),
        "peak_day": ("float", "day of the highest measured value after infusion"),
        "peak_fold": ("float", "that value over baseline"),
        "peak_fold_low": ("float", "lower 95 % limit"),
        "peak_fold_high": ("float", "upper 95 % limit"),
        "first_day_10fold": ("float", "first measured day with a fold of at least 10"),
        "days_above_2fold": ("float", "days from infusion to the last day with a fold above 2, gaps left out"),
        "last_day": ("float", "last measured day"),
        "last_fold": ("float", "fold on that day"),
        "auc_log2": ("float", "area under log2 fold from day 0 to the last day (log2 x days)"),
        "doubling_time_days": ("float", "of the expansion, posterior median"),
        "doubling_low": ("float", "lower 95 % limit"),
        "doubling_high": ("float", "upper 95 % limit"),
        "half_life_days": ("float", "of the excess over the plateau after the peak, posterior median"),
        "half_life_low": ("float", "lower 95 % limit"),
        "half_life_high": ("float", "upper 95 % limit"),
        "model_peak_day": ("float", "day of the peak of the fitted curve"),
        "model_peak_day_low": ("float", "lower 95 % limit"),
        "model_peak_day_high": ("float", "upper 95 % limit"),
        "model_peak_fold": ("float", "peak of the fitted curve over the fitted baseline"),
        "model_peak_fold_low": ("float", "lower 95 % limit"),
        "model_peak_fold_high": ("float", "upper 95 % limit"),
        "plateau_fold": ("float", "level after contraction over the fitted baseline"),
        "plateau_low": ("float", "lower 95 % limit"),
        "plateau_high": ("float", "upper 95 % limit"),
        "n_days": ("int", "days that entered the fit"),
        "censored_day": ("float", "day of the first censoring event; the fit uses no later day"),
        "reason": ("str?", "why a measured number is NaN"),
        "model_reason": ("str?", "why a fitted number is NaN"),
    },
)

CURVES = Schema(
    "CURVES",
    {
        **_SERIES,
        "day": ("float", "day after infusion"),
        "fitted": ("float", "cells/uL of the fitted curve, posterior median"),
        "low": ("float", "lower 95 % limit of the curve"),
        "high": ("float", "upper 95 % limit of the curve"),
    },
)

TESTS = Schema(
    "TESTS",
    {
        "test": ("str", "`abundance`, `absolute`, `clr`, `signflip`, `signedrank`, `state`, `expression`, ..."),
        "modality": ("str", "`cytof` or `rna`"),
        "population": ("str", "named subset"),
        "feature": ("str?", "marker, gene or score; missing for abundance"),
        "contrast": ("str", "what is compared, in words: `CIML: D14 vs pre`"),
        "n_patients": ("int", "patients that carry the contrast"),
        "effect": ("float", "estimate, in effect_unit"),
        "effect_low": ("float", "lower 95 % limit"),
        "effect_high": ("float", "upper 95 % limit"),
        "effect_unit": ("str", "`log2 odds ratio`, `log2 fold`, `arcsinh`, ..."),
        "se": ("float", "standard error of the effect"),
        "df": ("float", "degrees of freedom of its t distribution"),
        "p": ("float", "two-sided p"),
        "p_floor": ("float", "smallest p this test can give at this n (0 for model-based tests)"),
        "fdr": ("float", "Benjamini-Hochberg over the rows of one test, modality and contrast"),
        "converged": ("bool", "the fit found its optimum"),
        "separated": ("bool", "the effect is infinite because one side has no cells"),
        "method": ("str", "the method in words"),
        "reason": ("str?", "why a number is NaN"),
    },
)

SCALES = Schema(
    "SCALES",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "population": ("str", "named subset"),
        "contrast": ("str", "what is compared"),
        "fraction_log2": ("float", "change of the odds within NK cells (log2)"),
        "absolute_log2": ("float", "change of the cells per microlitre (log2)"),
        "clr_log2": ("float", "change against the geometric mean of all populations (log2)"),
        "verdict": ("str", "`absolute and relative`, `absolute only`, `relative only`, `no change shown`, ..."),
        "reason": ("str?", "why there is no verdict"),
    },
)

POWER = Schema(
    "POWER",
    {
        "test": ("str", "the test the statement is about"),
        "modality": ("str", "`cytof` or `rna`"),
        "population": ("str", "named subset"),
        "contrast": ("str", "what is compared"),
        "n_patients": ("int", "patients that carry the contrast"),
        "detectable_log2": ("float", "smallest true effect found with the asked power (log2)"),
        "detectable_fold": ("float", "the same as a ratio"),
        "power_at_1": ("float", "power at a true effect of 1 log2"),
        "reason": ("str?", "why a number is NaN"),
    },
)

DIVERSITY = Schema(
    "DIVERSITY",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "sample": ("str", "sample id"),
        "patient": ("str", "patient id"),
        "day": ("int", "day after infusion"),
        "arm": ("str", "study arm"),
        "tissue_or_product": ("str", "`blood`, `product` or `donor`"),
        "n_cells": ("int", "cells in the sample"),
        "depth": ("float", "cells per subsample, the same for all samples of a modality"),
        "inverse_simpson": ("float", "1 / sum p^2 of the populations, mean over subsamples"),
        "shannon": ("float", "-sum p ln p (nats), mean over subsamples"),
        "low": ("float", "lower 95 % limit of inverse_simpson"),
        "high": ("float", "upper 95 % limit of inverse_simpson"),
        "reason": ("str?", "why a number is NaN"),
    },
)
