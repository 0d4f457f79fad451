"""Spillover between mass channels (Chevrier et al. 2018, Cell Systems 6:612-620).

Its modules are loaded on demand, so that other steps do not pay for pandas.
"""
