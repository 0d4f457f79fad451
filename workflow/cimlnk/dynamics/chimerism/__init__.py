"""Whose NK cells: shares of donor and recipient, cells per microlitre, kinetics and tests."""
