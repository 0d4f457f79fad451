"""Neighbour graph, Leiden clustering, stability, sketching, embedding. Knows matrices only."""
