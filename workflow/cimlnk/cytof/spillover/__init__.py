"""Spillover between mass channels (Chevrier et al. 2018, Cell Systems 6:612-620)."""
