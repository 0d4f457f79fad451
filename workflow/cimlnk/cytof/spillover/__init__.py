"""Spillover between mass channels (Chevrier et al. 2018, Cell Systems 6:612-620).

`metals` is imported by other steps; the rest is loaded on demand so that they do not pay for pandas.
"""
