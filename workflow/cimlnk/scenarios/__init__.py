"""Numbered situations in which names, lineages and tests must come out as said, whatever the rest of a run is."""
