"""The table of warnings, and the closed lists its columns draw from."""

from __future__ import annotations

from cimlnk.common.tables import Schema

SEVERITIES = ("serious", "caution", "note")
# kind -> what to do about it; a collector may give a more special remedy
KINDS = {
    "sample left out": "Mend or replace the file, or take its row out of the sample sheet.",
    "same file twice": "Give every row its own file: the copies count as independent samples.",
    "batch confounded": "Do not read these differences as biology. Measure an anchor sample in every batch, or spread "
    "the levels over the batches.",
    "baseline missing": "Add the pre-infusion sample or count, or name another time point in "
    "dynamics.baseline_timepoint.",
    "count missing": "Add a row to the counts sheet for NK cells per microlitre on that day.",
    "count of zero": "Give the limit of detection in place of 0 where it is known; look at the patient's own course.",
    "fallback cut": "Look at the sample's gate figure; if the cut is wrong, set it in the override sheet "
    "(what = threshold).",
    "gate keeps nearly nothing": "Look at the sample's gate figure and at the channel's role in the panel sheet.",
    "gate keeps everything": "Harmless if the file was gated or enriched before; else look at the gate figure.",
    "gate skipped": "Nothing, if the panel has no such marker; else give the channel its marker in the panel sheet.",
    "NK counts disagree": "Look at both counts and at the gate figure before NK/µL of this sample is used.",
    "lineage missing": "Nothing, if the sample was enriched or sorted; else look at the marker's channel.",
    "lineage unsure": "Look at the lineage figure; more lineage markers in the panel would settle it.",
    "marker all zero": "Take the channel out of the panel sheet (role ignore), or find the file that holds it.",
    "channel without signal": "Look at the channel: not recorded, not stained, or a wrong row of the panel sheet.",
    "channel saturated": "Nothing, if few events pile up there; else read the marker's intensities with care.",
    "instrument": "Fluorescence belongs to modality flow: its scale, spillover and doublets are not those of counts.",
    "label differs from the panel": "Compare the panel sheet with the labels in the file: one of them is wrong.",
    "marker not in every file": "Compare time points only where the marker was measured; see the availability table.",
    "neighbours missed": "Look for cells far from all others (other units or cofactors in some files); if there "
    "are none, ask for all neighbours (graph.recall: 1), which takes longer.",
    "few NK cells": "Read fractions of this sample with their intervals; add events if there are more.",
    "unassigned cells": "See the reasons in the annotation table; name the clusters in the override sheet if you can.",
    "no positivity threshold": "Give a threshold in the override sheet (what = threshold) or do without its "
    "share of positive cells.",
    "clusters follow patients": "Compare these names between patients with care: genes that differ between donors "
    "(KIR, HLA, sex) or batches may make the cluster; where proteins were measured, compare by them.",
    "overridden": "Nothing: it was asked for. The table shows what it would have been.",
    "days not joined by donor": "Give the genotypes of the clusters, reference genotypes or an independent call in the "
    "donor sheet; until then read each day on its own.",
    "donor evidence disagrees": "Look at the evidence on the page 'Whose cells': exchanged files or a wrong sheet.",
    "one genotype in two patients": "Nothing, if one donor gave to both patients; else two samples were exchanged.",
    "donor calls unsure": "Read the shares with their limits, which hold the cells without a sure call.",
    "donor before infusion": "Called wrongly, or the sample was exchanged; later days are judged by these cells.",
    "RNA and protein disagree": "Read this name by RNA with its measured accuracy (populations page), or use the "
    "names by protein in adt/cells.parquet.",
    "unlike the reference": "Do not read these cells by the frozen clustering: cluster the cohort anew.",
}

AVAILABILITY = Schema(
    "availability",
    {
        "sample": ("str", "sample id of a sample with cells"),
        "marker": ("str", "marker that some file of the cohort measured"),
        "measured": ("bool", "whether this file did"),
    },
)
WARNINGS = Schema(
    "warnings",
    {
        "modality": ("str", "cytof, flow, rna, or all for what concerns the cohort"),
        "stage": ("str", "cohort, cytof, flow, rna, graph, populations or dynamics"),
        "sample": ("str?", "sample id; missing where it is not about one sample"),
        "kind": ("str", "one of a closed list"),
        "subject": ("str?", "what it is about: gate, marker, lineage or patient"),
        "severity": ("str", "serious (a result may be wrong), caution (read with care) or note"),
        "text": ("str", "what happened, with numbers"),
        "remedy": ("str", "what to do about it"),
    },
)
