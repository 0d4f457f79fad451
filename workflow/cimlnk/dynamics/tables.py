"""Tables that several questions write: tests, and diversity; and the columns that say whose a row is."""

from __future__ import annotations

from cimlnk.common.tables import Schema

SERIES = {
    "modality": ("str", "`cytof` or `rna`"),
    "patient": ("str", "patient id"),
    "arm": ("str", "study arm"),
    "population": ("str", "named subset, or `NK` for all NK cells"),
}

PER_UL = ["cells_per_ul", "cells_per_ul_low", "cells_per_ul_high"]  # of ABUNDANCE: value and 95 % limits

SAMPLE = {
    "modality": ("str", "`cytof` or `rna`"),
    "sample": ("str", "sample id"),
    "patient": ("str", "patient id"),
    "day": ("int", "day after infusion"),
    "timepoint": ("str", "name of the time point"),
    "arm": ("str", "study arm"),
    "tissue_or_product": ("str", "`blood`, `product` or `donor`"),
}

# The closed list of methods: what stands in TESTS, and what a reader is told. No p value goes without one of them.
METHODS = {
    "beta_binomial_mixed": "beta-binomial mixed model",
    "linear_mixed": "linear mixed model",
    "paired_moderated_t": "paired t, moderated variances",
    "welch_t": "Welch t of paired differences",
    "sign_flip": "exact sign flips",
    "signed_rank": "exact signed-rank",
    "relabelling": "exact relabelling of arms",
    "negative_binomial_wald": "negative binomial Wald test (PyDESeq2)",
    "quasi_likelihood_f": "quasi-likelihood F test",
    "block_permutation": "permutation within blocks",
    "none": "not tested",
}

TESTS = Schema(
    "TESTS",
    {
        "test": (
            "str",
            "what is tested: `abundance`, `absolute`, `clr`, `state_median`, `expression`, ...",
        ),
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
        "p_floor": (
            "float",
            "smallest p these numbers allow the test, ties and zeros counted (0 for models)",
        ),
        "fdr": ("float", "Benjamini-Hochberg over the rows of one `fdr_family`"),
        "fdr_family": ("str", "the rows among which `fdr` is taken, in words"),
        "primary": ("bool", "the row to read; others are the same effect by further methods"),
        "converged": ("bool", "the fit found its optimum"),
        "separated": ("bool", "the effect is infinite because one side has no cells"),
        "method": ("str", "one of METHODS, for example `paired_moderated_t`, `sign_flip`"),
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
