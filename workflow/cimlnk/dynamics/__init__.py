"""Counts, folds, tests and identity over time, on small tables only: one package a question.

- How many: `abundance`; along a curve `kinetics`; of whom `chimerism`; is a product fit to be given `release`.
- What they carry: `state` (markers, gene levels), `expression` (genes, programmes).
- Whether the modalities agree: `agreement`.
- Below the named populations: `neighbourhoods`, `identity`, `repertoire`.
- Shared: what a baseline is ``baseline``; which contrasts ``contrasts``, ``designs``; by which test ``methods``; rows
  of TESTS ``results``.
"""
