"""How far two modalities agree, and the pairs behind it."""

from __future__ import annotations

from cimlnk.common.tables import Schema

AGREEMENT = Schema(
    "AGREEMENT",
    {
        "one": ("str", "modality: `cytof`, `flow`, `adt` (proteins of single cells with RNA) or `rna`"),
        "other": ("str", "the modality it is compared with"),
        "measure": (
            "str",
            "`fraction` (percent of NK cells), `fraction_whole` (the same of a subset with all that refine it), "
            "`log2_fold` or `protein_rna`",
        ),
        "population": ("str", "named subset; `all` for all of them together"),
        "feature_one": ("str?", "protein; missing for fractions and folds"),
        "feature_other": ("str?", "gene; missing for fractions and folds"),
        "n_pairs": ("int", "patient-days (protein_rna: x populations) measured in both modalities"),
        "n_patients": ("int", "patients they come from"),
        "concordance": ("float", "Lin's concordance correlation; NaN for protein_rna (units differ)"),
        "correlation": ("float", "Spearman's rank correlation"),
        "bias": ("float", "mean of one minus other, in units of the measure; NaN for protein_rna"),
        "limit_low": ("float", "lower 95 % limit of agreement of a single pair"),
        "limit_high": ("float", "upper 95 % limit of agreement of a single pair"),
        "shuffled_median": ("float", "median of the judged coefficient when samples of the other are exchanged"),
        "shuffled_high": ("float", "its 95 % quantile: what chance reaches"),
        "p": ("float", "share of shuffles at least as good"),
        "p_floor": ("float", "least p reachable with so few pairs"),
        "verdict": ("str", "`reliable`, `unreliable`, or `not compared` without a pair"),
        "reason": ("str?", "why it is not reliable"),
    },
)

AGREEMENT_PAIRS = Schema(
    "AGREEMENT_PAIRS",
    {
        "one": ("str", "modality"),
        "other": ("str", "the modality it is compared with"),
        "measure": ("str", "`fraction`, `fraction_whole`, `log2_fold` or `protein_rna`"),
        "population": ("str", "named subset"),
        "feature_one": ("str?", "protein"),
        "feature_other": ("str?", "gene"),
        "patient": ("str", "patient id"),
        "day": ("int", "day after infusion"),
        "tissue_or_product": ("str", "`blood`, `product` or `donor`"),
        "value_one": ("float", "value in the one modality"),
        "value_other": ("float", "value in the other"),
    },
)
