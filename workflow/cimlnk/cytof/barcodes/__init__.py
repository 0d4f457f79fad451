"""Single-cell debarcoding (Zunder et al. 2015, Nature Protocols 10:316-333)."""

from .assign import Assignment, debarcode, debarcode_adata
from .cutoffs import estimate_cutoffs
from .key import BarcodeKey, make_key, read_key
from .separation import nearest_code, scale, transform

__all__ = [
    "Assignment",
    "BarcodeKey",
    "debarcode",
    "debarcode_adata",
    "estimate_cutoffs",
    "make_key",
    "nearest_code",
    "read_key",
    "scale",
    "transform",
]
