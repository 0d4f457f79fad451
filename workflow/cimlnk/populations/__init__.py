"""From clusters to named NK subsets, the same names in both modalities."""
