"""Whether any two modalities say the same of the same patients and days."""

from __future__ import annotations

from cimlnk.common.faces import face

_HOME = {
    "agreement": "concordance",
    "matched": "pairs",
    "lin": "concordance",
}
__getattr__, __dir__, __all__ = face(__name__, _HOME)
