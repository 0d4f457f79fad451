"""Named NK subsets: from clusters and cells to names, the same names in all modalities.

- Definitions: ``definitions``, read by ``definitions_file``.
- By protein: where a marker is positive ``positivity``; distances from there ``distances``, ``evidence``; a cell with
  its neighbours ``smoothing``, ``means``; the likeliest name ``judging``, ``naming``; why there is none ``reasons``.
- By gene: ``transcripts``, at one depth ``depth``.
- How sure a name is: ``neighbours``. What a person decides: ``override``. The rule's function: ``name``.
- For what comes after: ``state``, ``pseudobulk``.
"""

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
