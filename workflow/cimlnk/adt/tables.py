"""Tables this stage writes."""

from __future__ import annotations

from cimlnk.common.tables import Schema

ANTIBODIES = Schema(
    "antibodies",
    {
        "sample": ("str", "sample id"),
        "antibody": ("str", "name in the file"),
        "marker": ("str", "name in results"),
        "kind": ("str", "protein or isotype"),
        "known": ("bool", "whether the name is in the table of markers"),
        "background": ("float", "counts on cells without the protein; NaN if unknown"),
        "noise": ("float", "counts up to which no cell is called positive"),
        "n_empty": ("int", "empty droplets the background rests on; 0 without"),
        "method": ("str", "empty droplets, negative mode, negative lineages, other samples, panel or none"),
        "trusted": ("bool", "false where names that need it are not given: the sample does not show its background"),
        "reason": ("str?", "what a method other than the first two rests on"),
    },
)
PROTEIN_CELLS = Schema(
    "protein_cells",
    {
        "cell": ("str", "cell id"),
        "sample": ("str", "sample id"),
        "lineage_protein": ("str", "lineage by protein"),
        "lineage_confidence": ("float32", "its probability, 0 to 1"),
        "sticky": ("bool", "binds half of the isotype controls or more: what it shows may be bound by anything"),
        "lineage_rna": ("str", "lineage by RNA, of the marker model"),
        "nk_rna": ("bool", "NK cell by RNA: what is clustered and named"),
        "nk_probability": ("float32", "its probability by RNA, 0 to 1"),
        "population_protein": ("str?", "name by protein; missing for cells that are no NK cells by protein"),
        "score_protein": ("float32", "evidence of that name, 0 to 1; NaN without one"),
        "population_rna": ("str?", "name by RNA; missing for cells that are no NK cells by RNA"),
    },
)
NK_AGREEMENT = Schema(
    "nk_agreement",
    {
        "sample": ("str", "sample id, or `all`"),
        "n_cells": ("int", "live single cells with antibody counts"),
        "n_rna": ("int", "NK cells by RNA"),
        "n_protein": ("int", "NK cells by protein"),
        "n_both": ("int", "NK cells by both"),
        "precision": ("float", "share of the NK cells by RNA that protein confirms; NaN without any"),
        "precision_low": ("float", "lower 95 % limit"),
        "precision_high": ("float", "upper 95 % limit"),
        "recall": ("float", "share of the NK cells by protein that RNA finds; NaN without any"),
        "recall_low": ("float", "lower 95 % limit"),
        "recall_high": ("float", "upper 95 % limit"),
        "f1": ("float", "2 both / (RNA + protein)"),
        "instead": ("str?", "commonest lineage by protein of the NK cells by RNA that are none by protein"),
        "reason": ("str?", "why a number is NaN, or what limits it"),
    },
)
NAME_AGREEMENT = Schema(
    "name_agreement",
    {
        "population": ("str", "name by RNA; NK: every named cell"),
        "n_cells": ("int", "NK cells by RNA with this name and antibody counts"),
        "n_told": ("int", "of them with a name by protein"),
        "n_same": ("int", "with the same name"),
        "n_general": ("int", "with a less specific or more specific one that this name agrees with"),
        "n_other": ("int", "with a name that contradicts it"),
        "accuracy": ("float", "(same + general) / told: measured accuracy of the name by RNA; NaN below 10 told cells"),
        "low": ("float", "lower 95 % limit"),
        "high": ("float", "upper 95 % limit"),
        "chance": ("float", "the accuracy names handed out at random among these cells would have"),
        "instead": ("str?", "commonest name by protein that contradicts it"),
        "reason": ("str?", "why there is no number, or which markers would have said more"),
    },
)
