"""Antibody-derived tags (CITE-seq): proteins of the cells whose RNA was counted.

Background, scale, lineages and names by protein with the definitions of cytometry, beside the names by RNA of the same
cells. Reading the files belongs to the rna stage (`cimlnk.rna.proteins`).
"""
