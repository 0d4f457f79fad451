"""Fluorescence flow cytometry, conventional and unmixed spectral, brought to what gating and lineages read.

>>> from cimlnk.cytof.flow.spillover import compensate, keyword_spillover  # doctest: +SKIP
>>> from cimlnk.cytof.flow.cofactors import estimate_cofactor  # doctest: +SKIP
"""
