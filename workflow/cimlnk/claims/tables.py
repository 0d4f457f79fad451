"""The table of this stage."""

from __future__ import annotations

from cimlnk.common.tables import Schema

CLAIMS = Schema(
    "claims",
    {
        "claim": ("str", "C01 ... C28"),
        "title": ("str", "the claim in words"),
        "verdict": ("str", "supported, not supported, or not evaluable"),
        "value": ("float", "the number the verdict rests on"),
        "low": ("float", "lower end of what was seen (interval or range, see why)"),
        "high": ("float", "upper end"),
        "bound": ("str", "what the number had to meet"),
        "n": ("int", "patients (or rows) behind it"),
        "tier": ("str", "A, B, C or D, see seeds/README.md"),
        "source": ("str", "where the claim comes from"),
        "why": ("str", "how the verdict came about"),
    },
)
