"""Pages, each a function from the tables of a run to its sections."""
