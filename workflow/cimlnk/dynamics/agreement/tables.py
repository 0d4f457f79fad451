"""How far the two modalities agree, and the pairs behind it."""

from __future__ import annotations

from cimlnk.common.tables import Schema

AGREEMENT = Schema(
    "AGREEMENT",
    {
        "measure": ("str", "`fraction` (percent of NK cells), `log2_fold` or `protein_rna`"),
        "population": ("str", "named subset; `all` for all of them together"),
        "feature_cytof": ("str?", "protein; missing for fraction and fold"),
        "feature_rna": ("str?", "gene; missing for fraction and fold"),
        "n_pairs": ("int", "patient-days (protein_rna: x populations) measured in both modalities"),
        "n_patients": ("int", "patients they come from"),
        "concordance": ("float", "Lin's concordance correlation; NaN for protein_rna (units differ)"),
        "correlation": ("float", "Spearman's rank correlation"),
        "bias": ("float", "mean cytof minus rna, in units of the measure; NaN for protein_rna"),
        "limit_low": ("float", "lower 95 % limit of agreement of a single pair"),
        "limit_high": ("float", "upper 95 % limit of agreement of a single pair"),
        "shuffled_median": ("float", "median of the judged coefficient when rna samples are exchanged"),
        "shuffled_high": ("float", "its 95 % quantile: what chance reaches"),
        "p": ("float", "share of shuffles at least as good"),
        "p_floor": ("float", "least p reachable with so few pairs"),
        "verdict": ("str", "`reliable` or `unreliable`"),
        "reason": ("str?", "why it is unreliable"),
    },
)

AGREEMENT_PAIRS = Schema(
    "AGREEMENT_PAIRS",
    {
        "measure": ("str", "`fraction`, `log2_fold` or `protein_rna`"),
        "population": ("str", "named subset"),
        "feature_cytof": ("str?", "protein"),
        "feature_rna": ("str?", "gene"),
        "patient": ("str", "patient id"),
        "day": ("int", "day after infusion"),
        "tissue_or_product": ("str", "`blood`, `product` or `donor`"),
        "cytof": ("float", "value in mass cytometry"),
        "rna": ("float", "value in scRNA-seq"),
    },
)
