"""Schemas of the validated sheets as they are handed to the later stages."""

from __future__ import annotations

from cimlnk.common.tables import Schema

SAMPLES = Schema(
    "samples",
    {
        "sample": ("str", "name of the sample, safe as a file name"),
        "patient": ("str", "patient"),
        "day": ("int", "day of sampling, 0 = infusion"),
        "timepoint": ("str", "label of the time point"),
        "arm": ("str", "arm of the trial"),
        "tissue_or_product": ("str", "blood, product or donor"),
        "modality": ("str", "cytof, flow or rna"),
        "path": ("str", "the file as written in the sample sheet"),
        "batch": ("str", "acquisition batch"),
        "sha256": ("str?", "checksum given in the sheet"),
    },
    extra=True,
)
COUNTS = Schema(
    "counts",
    {
        "patient": ("str", "patient"),
        "day": ("int", "day of the count, 0 = infusion"),
        "nk_per_ul": ("float", "NK cells per microlitre of blood; NaN = not measured"),
        "lymphocytes_per_ul": ("float", "lymphocytes per microlitre of blood; NaN = not measured"),
        "il2_dose": ("float", "IL-2 given that day, million IU/m2; NaN = none noted"),
        "event": ("str?", "what else happened that day"),
    },
)
PATIENTS = Schema(
    "patients",
    {
        "patient": ("str", "patient"),
        "arm": ("str", "arm of the trial"),
        "disease": ("str?", "disease"),
        "dose_per_kg": ("float", "NK cells infused per kg of body weight"),
        "il2_planned": ("float", "IL-2 doses planned"),
        "il2_received": ("float", "IL-2 doses given"),
        "cmv_viremia": ("str?", "yes or no"),
    },
    extra=True,
)
FUNCTIONAL = Schema(
    "functional",
    {
        "sample": ("str", "the product"),
        "readout": ("str", "what was read: killing, IFN-g, TNF-a, …"),
        "target": ("str?", "target cells; `none` for NK cells alone"),
        "effector_target": ("float", "NK cells per target cell; NaN where none applies"),
        "value": ("float", "the reading"),
        "unit": ("str", "its unit"),
    },
)
PANEL = Schema(
    "panel",
    {
        "channel": ("str", "$PnN of the FCS files"),
        "marker": ("str", "marker name used in all results"),
        "role": ("str", "what the channel is for"),
        "cofactor": ("float", "divisor inside the arcsinh"),
        "cluster": ("str", "yes: used for the neighbour graph"),
        "threshold": ("float", "positive above this level where the data show none; NaN if not given"),
        "clone": ("str?", "clone of the antibody"),
        "supplier": ("str?", "who sells the reagent"),
        "catalogue": ("str?", "number in the supplier's catalogue"),
        "lot": ("str?", "lot of the reagent"),
        "instrument": ("str?", "instrument, where the files do not name it"),
    },
)
PANELS = Schema("panels", {"modality": ("str", "cytof or flow"), **PANEL.columns})
