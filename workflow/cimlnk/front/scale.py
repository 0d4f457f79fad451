"""On which scale the values of an FCS file are, told from the values themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Scale(NamedTuple):
    """A value of ``cytof.input_scale``, the instrument, the cofactor that fits it, and why."""

    name: str
    instrument: str
    cofactor: float
    why: str


def guess_scale(events: NDArray[np.floating], channels: Sequence[str], text: Mapping[str, str]) -> Scale:
    """The scale by the range of the values and the instrument by $CYT and the channels' names.

    Parameters
    ----------
    events
        Events × channels without time and event length.
    channels
        $PnN of the file.
    text
        Its keywords.
    """
    cytometer = text.get("$CYT", "")
    light = sum(c.upper().endswith(("-A", "-H", "-W")) for c in channels) >= len(channels) / 3
    metals = sum(c.endswith(("Di", "Dd")) or "Di)" in c for c in channels) >= 3
    instrument = "fluorescence" if light and not metals else "mass cytometry"
    cofactor = 150.0 if instrument == "fluorescence" else 5.0
    if not events.size:
        return Scale("raw", instrument, cofactor, "no events to tell it from")
    low, high = (float(v) for v in np.percentile(events, [0.1, 99.9]))
    words = f"{cytometer or 'no $CYT'}; values from {low:.3g} to {high:.3g}"
    if high <= 1.5 and low > -1:
        return Scale("scaled", instrument, cofactor, words)
    if high <= 15:
        return Scale("arcsinh", instrument, cofactor, words)
    if low < -1:
        return Scale("compensated", instrument, cofactor, words)
    return Scale("raw", instrument, cofactor, words)
