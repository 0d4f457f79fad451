"""Synthetic cohorts: the files a lab would have (FCS, 10x, sheets) and, kept apart, the truth behind them."""
