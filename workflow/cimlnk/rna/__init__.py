"""Single-cell RNA: from 10x counts to clean NK cells.

- Reading: ``read``, ``read_h5``, ``read_mtx``, ``folder``, ``checked_h5``; antibodies ``read_adt``, ``proteins``,
  ``antibodies``.
- One sample from counts to NK cells: ``cells``; quality ``qc``, ambient RNA ``ambient``, doublets ``doublets``,
  ``doublet_mixture``; NK cells ``selection``, ``lineage``, ``contradiction``; the table of gates ``gates``.
- The matrix for the graph: ``features``, ``normalise``, ``variable``, ``components``, ``integrate``.
"""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "read_counts": "read",
    "find_doublets": "doublets",
    "estimate_ambient": "ambient",
    "harmonise": "integrate",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
