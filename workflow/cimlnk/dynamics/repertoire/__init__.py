"""Which combinations of receptors a sample holds, how diverse and how far apart they are. Reads cells."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "phenotype_codes": "phenotypes",
    "count_phenotypes": "phenotypes",
    "distance_tests": "differential",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
