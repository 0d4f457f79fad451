"""One offline page on which every cell can be looked at, selected and handed back as a correction."""
