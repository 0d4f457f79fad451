"""The table of this stage."""

from __future__ import annotations

from cimlnk.common.tables import Schema

CLAIMS = Schema(
    "claims",
    {
        "claim": ("str", "C01 ... C28"),
        "title": ("str", "the claim in words"),
        "kind": (
            "str",
            "`design` (read off the sheets), `finding` (may come out false), `self-check` (of the analysis)",
        ),
        "verdict": ("str", "supported, not supported, or not evaluable"),
        "value": ("float", "the number the verdict rests on"),
        "low": ("float", "lower end of what was seen (interval or range, see why)"),
        "high": ("float", "upper end"),
        "bound": ("str", "what the number had to meet"),
        "n": ("int", "patients (or rows) behind it"),
        "chance": (
            "float",
            "share of cohorts like this one, but without the effect, in which the finding would be supported",
        ),
        "p": ("float", "largest p of the tests that the finding needs; NaN if it needs none"),
        "p_attainable": ("float", "smallest p that the patients behind it can give"),
        "arm": ("str?", "the arm or arms read"),
        "modality": ("str?", "`cytof`, `rna` or both: what was read; missing where neither matters"),
        "tier": ("str", "A, B, C or D, see seeds/README.md"),
        "source": ("str", "where the claim comes from"),
        "why": ("str", "how the verdict came about"),
    },
)
