"""The tables about whose cells they are, and the closed lists their columns draw from."""

from __future__ import annotations

from cimlnk.common.tables import Schema

SINGLET, DOUBLET, AMBIGUOUS, UNASSIGNED = "singlet", "doublet", "ambiguous", "unassigned"
STATUSES = (SINGLET, DOUBLET, AMBIGUOUS, UNASSIGNED)
#: What may say who a label is, in the order in which it is believed.
METHODS = {
    "named": "the program named the person (reference genotypes were given to it)",
    "genotype": "genotype: concordance of the called sites",
    "second call": "an independent call of the same cells whose names hold on all days",
    "sex genes": "XIST and Y-linked genes of two persons of different sex",
    "antibody": "an HLA antibody that binds the cells of one of the two persons",
    "none": "nothing",
}

CALLS = Schema(
    "DONOR_CALLS",
    {
        "sample": ("str", "sample id"),
        "barcode": ("str", "barcode as the calls have it"),
        "cell": ("str?", "id of the NK cell with this barcode; missing where it is none of the NK cells kept"),
        "status": ("str", "`singlet`, `doublet`, `ambiguous` or `unassigned`"),
        "label": ("str?", "what the program calls the donor of a singlet: a name, or a number good for this file only"),
        "probability": ("float", "posterior probability that the label is right; NaN if the program gives none"),
        "second": (
            "str?",
            "by the independent call: a person, or `doublet`, `ambiguous`, `unassigned`; missing without one",
        ),
        "person": ("str?", "the person, the same on all days of a patient; missing where nothing says who it is"),
        "role": ("str?", "`donor` or `recipient`"),
    },
)
MATCHES = Schema(
    "DONOR_MATCHES",
    {
        "sample": ("str", "sample id"),
        "patient": ("str", "patient id"),
        "day": ("int", "day after infusion"),
        "tool": ("str", "`vireo`, `souporcell`, `demuxlet` or `column`"),
        "label": ("str", "the program's label in this file"),
        "n_cells": ("int", "singlets with the label"),
        "person": ("str?", "the person; missing where nothing says who it is"),
        "role": ("str?", "`donor` or `recipient`"),
        "role_source": ("str?", "what says the role"),
        "method": ("str", "one of a closed list: what says who it is"),
        "n_sites": ("float", "sites compared; NaN unless by genotype"),
        "concordance": ("float", "share of them with the same genotype; or of the cells on which two calls agree"),
        "runner_up": ("float", "the same for the next best person"),
        "sex": ("str?", "by XIST and Y-linked genes: `female`, `male` or `mixed`"),
        "xist_umis": ("float", "molecules of XIST in the NK cells of the label"),
        "y_umis": ("float", "molecules of Y-linked genes in them"),
        "antibody": ("float", "median level of the HLA antibody; NaN without one"),
        "conflict": ("str?", "evidence that disagrees"),
        "reason": ("str?", "why nothing says who it is"),
    },
)
COMPARISONS = Schema(
    "DONOR_COMPARISONS",
    {
        "sample": ("str", "sample id"),
        "label": ("str", "label in that sample"),
        "other_sample": ("str?", "the sample compared with; missing for the reference genotypes"),
        "other": ("str", "label in the other sample, or name of the reference"),
        "n_sites": ("int", "sites that both have at the asked depth, not homozygous reference in both"),
        "concordance": ("float", "share of these sites with the same genotype"),
        "opposite": (
            "float",
            "share of them that are opposite homozygotes: near 0 for one person and for parent and child",
        ),
        "same": ("bool", "whether the two are one person by the bounds of the config"),
        "reason": ("str?", "why they could not be compared"),
    },
)
