"""Which genes and gene programmes move, from counts summed per sample and population."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "expression_tests": "differential",
    "read_gene_sets": "signatures",
    "scores": "signatures",
    "log_cpm": "signatures",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
