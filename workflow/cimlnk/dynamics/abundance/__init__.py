"""How many cells of each population: counts, shares, folds over baseline, their tests, scales and power."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "make_abundance": "shares",
    "abundance_tests": "differential",
    "make_folds": "folds",
    "make_diversity": "diversity",
    "power_table": "power",
    "detectable": "power",
    "compare_scales": "scales",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
