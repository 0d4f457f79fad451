"""Figures, each a pure function of the table behind it."""
