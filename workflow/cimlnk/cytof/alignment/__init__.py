"""Batch alignment of cells with or without anchor samples (after Van Gassen et al. 2020, Cytometry A 97:268-278)."""
