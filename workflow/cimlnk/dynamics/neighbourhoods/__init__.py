"""Where on the neighbour graph abundance moves, below the named populations. Reads cells and the graph."""
