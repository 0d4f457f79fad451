"""Schemas of the tables of flow cytometry."""

from __future__ import annotations

from cimlnk.common.tables import Schema

COFACTORS = Schema(
    "cofactors",
    {
        "channel": ("str", "$PnN of the files"),
        "marker": ("str", "marker of the panel"),
        "cofactor": ("float", "divisor inside the arcsinh, in units of the files"),
        "method": (
            "str",
            "estimated from the negative cells; median of the panel's other channels; given in the panel",
        ),
        "reason": ("str?", "why it is not estimated"),
    },
)
