"""arcsinh with a cofactor per channel, and a guard against values that are not what the config says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.errors import Plain, UserError

ROWS = 65_536
GUARD_EVENTS = 20_000


def arcsinh(events: NDArray[np.floating], cofactors: Sequence[float]) -> NDArray[np.float32]:
    """``arcsinh(x / cofactor)`` per column as float32; one copy, made in blocks that stay in the cache.

    The scale of mass cytometry since Bendall 2011 (doi:10.1126/science.1198704), cofactor 5 by custom.
    """
    factor = (1.0 / np.asarray(cofactors, dtype=np.float64)).astype(np.float32)
    out = np.empty(events.shape, np.float32)
    for start in range(0, len(events), ROWS):
        part = out[start : start + ROWS]
        np.multiply(events[start : start + ROWS], factor, out=part, casting="same_kind")
        np.arcsinh(part, out=part)
    return out


def detect_scale(events: NDArray[np.floating]) -> tuple[str, str]:
    """What marker values look like: ("raw" | "compensated" | "arcsinh" | "scaled", evidence in words).

    Judged over all marker columns together: counts reach far beyond 15 (arcsinh(15) would be eight million counts at
    cofactor 5) and are never below -1 except for the small undershoot of early instruments; compensated values go far
    below it; arcsinh values stay below 15; scaled ones below about 2.
    """
    step = max(1, len(events) // GUARD_EVENTS)
    values = events[::step].ravel()
    values = values[np.isfinite(values)]
    if not len(values):
        return "raw", "no values"
    least, low, top = (float(q) for q in np.quantile(values, (0.0, 0.001, 0.999)))
    share = float((values < -1.5).mean())
    evidence = f"0.1 % of marker values above {top:.3g}, 0.1 % below {low:.3g}, least {least:.3g}"
    if top > 15:
        return ("compensated" if share > 0.002 and least < -5 else "raw"), evidence
    return ("arcsinh" if top > 2 else "scaled"), evidence


def check_scale(events: NDArray[np.floating], stated: str, file: object) -> str:
    """Refuse values that contradict `cytof.input_scale`; returns the evidence for the log.

    Raises
    ------
    UserError
        If the values look otherwise than stated, or some are not finite.
    """
    for start in range(0, len(events), ROWS):
        if not np.isfinite(events[start : start + ROWS]).all():
            bad = int((~np.isfinite(events)).any(axis=1).sum())
            raise UserError(file, "events", Plain(f"{bad} events with a value that is not finite"), "numbers")
    found, evidence = detect_scale(events)
    fine = found == stated or (stated in ("compensated", "fluorescence") and found in ("raw", "compensated"))
    fine |= not len(events)
    # a file of a few dim markers may stay small on any scale: only a contradiction the data can show is refused
    if not fine:
        raise UserError(
            file,
            "events (config key cytof.input_scale)",
            Plain(f"values that look {found} ({evidence})"),
            f"{stated} values; if the file is right, set cytof.input_scale: {found}",
        )
    return evidence
