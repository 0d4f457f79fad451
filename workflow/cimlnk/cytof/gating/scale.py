"""The scale on which events are gated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.panel import LINEAR, Matched
from cimlnk.cytof.transform import arcsinh


def gating_scale(events: NDArray[np.floating], matched: Matched, input_scale: str) -> NDArray[np.float32]:
    """Events on the gating scale: arcsinh with the panel's cofactors, unless they are transformed already."""
    linear = [c.column for c in matched.channels if c.role in LINEAR]
    if input_scale in ("arcsinh", "scaled"):
        return events.astype(np.float32)
    cofactors = np.ones(events.shape[1])
    for c in matched.channels:
        cofactors[c.column] = c.cofactor
    out = arcsinh(events, list(cofactors))
    out[:, linear] = events[:, linear]
    return out
