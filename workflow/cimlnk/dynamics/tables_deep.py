"""The tables of what lies deeper than counts: neighbourhoods, identity over time, repertoires, agreement."""

from __future__ import annotations

from cimlnk.common.tables import Schema

_SAMPLE = {
    "modality": ("str", "`cytof` or `rna`"),
    "sample": ("str", "sample id"),
    "patient": ("str", "patient id"),
    "day": ("int", "day after infusion"),
    "timepoint": ("str", "name of the time point"),
    "arm": ("str", "study arm"),
    "tissue_or_product": ("str", "`blood`, `product` or `donor`"),
}

REPERTOIRE = Schema(
    "REPERTOIRE",
    {
        **_SAMPLE,
        "phenotype": ("str", "Boolean phenotype in words: `NKG2A+ NKG2C- CD57-`"),
        "n_cells": ("int", "cells of the sample with it"),
        "fraction": ("float", "n_cells over all NK cells of the sample"),
    },
)

DISTANCES = Schema(
    "DISTANCES",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "what": ("str", "`receptors` (all of them), `donor_receptors` (the inherited ones) or `composition`"),
        "metric": ("str", "`jensen_shannon` (0-1, base 2) or `aitchison`"),
        "sample": ("str", "sample id"),
        "other": ("str", "sample id"),
        "distance": ("float", "in the unit of the metric"),
        "same_patient": ("bool", "both of one patient (or that patient's donor and product)"),
        "same_timepoint": ("bool", "both of one time point"),
        "days_apart": ("float", "days between them"),
    },
)

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

SCORES = Schema(
    "SCORES",
    {
        "sample": ("str", "sample id"),
        "population": ("str", "named subset, or `NK` for all NK cells"),
        "signature": ("str", "gene set"),
        "score": ("float", "mean z of up genes minus mean z of down genes over the population's samples"),
        "n_genes": ("int", "measured genes of the set"),
    },
)

NEIGHBOURHOODS = Schema(
    "NEIGHBOURHOODS",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "neighbourhood": ("int", "number of the neighbourhood, from 0"),
        "index_cell": ("str", "cell id in its middle"),
        "n_cells": ("int", "cells in it"),
        "radius": ("float", "distance from the index cell to the farthest member (graph features)"),
        "umap1": ("float", "position of the index cell"),
        "umap2": ("float", "position of the index cell"),
        "population": ("str", "most frequent named subset of its cells"),
        "purity": ("float", "share of its cells in that subset"),
        "contrast": ("str", "what is compared: `CIML: D14 vs pre`"),
        "n_patients": ("int", "patients that carry the contrast"),
        "effect": ("float", "log2 ratio of the share of NK cells"),
        "effect_low": ("float", "lower 95 % limit"),
        "effect_high": ("float", "upper 95 % limit"),
        "df": ("float", "degrees of freedom of its t distribution, the moderation's included"),
        "p": ("float", "two-sided p of the quasi-likelihood F test"),
        "fdr": ("float", "spatial FDR within a contrast (weights 1 / radius)"),
        "separated": ("bool", "no cell at all on one side of the contrast: the ratio is made finite by a prior count"),
        "converged": ("bool", "the fit found its optimum"),
        "reason": ("str?", "why a number is NaN"),
    },
)

LINKS = Schema(
    "LINKS",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "arm": ("str", "study arm"),
        "from_timepoint": ("str", "earlier time point"),
        "from_cluster": ("str", "cluster of the earlier time point's own clustering"),
        "to_timepoint": ("str", "later time point"),
        "to_cluster": ("str", "cluster of the later time point's own clustering"),
        "from_population": ("str", "most frequent named subset of its cells (joint clustering)"),
        "to_population": ("str", "most frequent named subset of its cells (joint clustering)"),
        "mass": ("float", "share of the later time point's cells transported along the link"),
        "descendant_share": ("float", "of the earlier cluster's descendants, how many go here"),
        "ancestor_share": ("float", "of the later cluster's ancestors, how many come from here"),
        "distance": ("float", "shift of the profile over the distance to the nearest sibling cluster"),
        "linked": ("bool", "taken as a link in the data"),
        "support": ("float", "share of bootstraps (patients and cells) with the link"),
        "support_shuffled": ("float", "the same after exchanging cluster labels between cells: the negative control"),
    },
)

EVENTS = Schema(
    "EVENTS",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "arm": ("str", "study arm"),
        "event": ("str", "`birth`, `loss`, `split` or `merge`"),
        "from_timepoint": ("str", "earlier time point"),
        "to_timepoint": ("str", "later time point"),
        "cluster": ("str", "the cluster born, lost, split or merged into"),
        "population": ("str", "most frequent named subset of its cells"),
        "partners": ("str?", "children of a split, parents of a merge"),
        "support": ("float", "share of bootstraps with the event"),
        "support_shuffled_time": ("float", "highest of such events when cells exchange time points within patients"),
        "verdict": ("str", "`shown` if support is above 0.5 and the control's is not, else `not shown`"),
    },
)

TRACKS = Schema(
    "TRACKS",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "arm": ("str", "study arm"),
        "timepoint": ("str", "time point"),
        "day": ("float", "median day of its samples"),
        "cluster": ("str", "cluster of the time point's own clustering"),
        "track": ("str", "identity over time: clusters joined by their strongest mutual links"),
        "population": ("str", "most frequent named subset of its cells (joint clustering)"),
        "purity": ("float", "share of its cells in that subset"),
        "n_cells": ("int", "cells"),
        "fraction": ("float", "mean share of the time point's cells over patients"),
        "cells_per_ul": ("float", "fraction x mean NK/uL of the arm at this time; NaN where there is no count"),
    },
)

ANCESTRY = Schema(
    "ANCESTRY",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "arm": ("str", "study arm"),
        "founder_timepoint": ("str", "the product, or the first time point asked for"),
        "founder": ("str", "named subset there"),
        "timepoint": ("str", "later time point"),
        "day": ("float", "its median day"),
        "population": ("str", "named subset there"),
        "share": ("float", "of that subset's cells, how many descend from the founder by transport"),
        "share_low": ("float", "lower 95 % limit over bootstraps of patients and cells"),
        "share_high": ("float", "upper 95 % limit"),
        "share_shuffled": ("float", "the same with (time point, subset) labels exchanged between cells"),
        "growth": ("float", "descendants over founder's cells, both per microlitre; NaN without counts (product)"),
        "verdict": ("str", "`founder` if the interval lies above the shuffled share, else `not shown`"),
        "reason": ("str?", "why a number is NaN"),
    },
)
