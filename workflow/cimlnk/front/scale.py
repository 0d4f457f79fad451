"""On which scale the values of an FCS file are, and which kind of instrument wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.transform import detect_scale


class Scale(NamedTuple):
    """A value of ``cytof.input_scale``, the instrument, the cofactor that fits it, and why."""

    name: str
    instrument: str
    cofactor: float
    why: str


def guess_scale(events: NDArray[np.floating], channels: Sequence[str], text: Mapping[str, str]) -> Scale:
    """The scale by the range of the values (as gating checks it) and the instrument by the channels' names.

    Parameters
    ----------
    events
        Events × channels without time, event length and pulse shape.
    channels
        $PnN of the file.
    text
        Its keywords.
    """
    light = sum(c.upper().endswith(("-A", "-H", "-W")) for c in channels) >= len(channels) / 3
    metals = sum(c.endswith(("Di", "Dd")) or "Di)" in c for c in channels) >= 3
    instrument = "fluorescence" if light and not metals else "mass cytometry"
    name, evidence = detect_scale(events)
    words = f"{text.get('$CYT') or 'no $CYT'}; {evidence}"
    return Scale(name, instrument, 150.0 if instrument == "fluorescence" else 5.0, words)
