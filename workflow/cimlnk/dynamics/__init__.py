"""Counts, folds, tests and identity over time, on small tables only."""
