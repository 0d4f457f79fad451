"""Names of the modalities as they are read."""

MODALITY = {"cytof": "mass cytometry", "rna": "single-cell RNA sequencing"}
