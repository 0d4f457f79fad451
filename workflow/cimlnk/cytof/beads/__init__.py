"""Bead normalisation of mass-cytometry files (Finck et al. 2013, Cytometry A 83A:483-494)."""

from .identify import BeadCall, identify_beads
from .normalise import Normalised, normalise_adata, normalise_beads
from .slopes import bead_slopes, correction, interpolate_slopes, residual_drift, running_median, unwind_time

__all__ = [
    "BeadCall",
    "Normalised",
    "bead_slopes",
    "correction",
    "identify_beads",
    "interpolate_slopes",
    "normalise_adata",
    "normalise_beads",
    "residual_drift",
    "running_median",
    "unwind_time",
]
