"""Which cluster of one day is which of the next: links, events, ancestry. Reads cells and the graph."""
