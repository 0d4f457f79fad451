"""Synthetic cohorts: the files a lab would have, and the truth behind them."""
