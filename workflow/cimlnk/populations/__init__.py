"""From clusters to named NK subsets, the same names in both modalities."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "load_definitions": "definitions_file",
    "protein_thresholds": "positivity",
    "gene_thresholds": "positivity",
    "fraction_positive": "positivity",
    "cluster_distances": "distances",
    "name_clusters": "naming",
    "profile": "name",
    "name_agreement": "neighbours",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
