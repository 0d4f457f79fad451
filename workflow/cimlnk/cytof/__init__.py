"""Mass cytometry: from FCS files to clean, gated NK cells.

- One sample from file to NK cells: ``cells``; the panel's channels ``panel``, the scale ``transform``, acquisition
  over time ``acquisition``.
- Which cells are NK cells: ``lineages`` (a cohort's batches; `lineage` decides, `gating` fits the gates to it).
- Preparation, where it is on: ``plan``, ``steps``, ``prepare``, with `beads`, `barcodes`, `spillover`, `alignment`.
- The matrix for the graph: ``features``. Reading and writing files: `fcs`, ``h5ad``. Fluorescence: `flow`.
"""
