"""A flow-cytometry file as linear values: what its keywords say of logarithmic amplifiers and gains is undone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.errors import Plain, UserError
from cimlnk.cytof.fcs.header import FcsHeader, read_events, read_header

from .instrument import PULSE, check_fluorescence, light_channels

CHANNEL_NUMBERS = (256, 1024, 4096)  # a display scale: files exported as channel numbers end at these
OVER = 1.003  # overshoot of such a scale
LEAST_RANGE = 16_384  # $PnR from which values that end at a channel number are no linear values


class Linear(NamedTuple):
    """Events x channels of a file (linear, as measured), and what was undone, in words."""

    header: FcsHeader
    events: NDArray[np.float32]
    notes: list[str]


def read_linear(path: str | Path) -> Linear:
    """All channels of a fluorescence file on a linear scale.

    $PnE "f1,f2" with f1 above zero is a logarithmic amplifier: ``f2 10^(f1 x / $PnR)``; $PnG divides a linear one (the
    Data File Standard: Spidlen 2010, doi:10.1002/cyto.a.20825). Time stays as stored.

    Raises
    ------
    UserError
        A file of a mass cytometer, raw spectral detectors, no events, values that are not finite, or channel numbers of
        a display scale in place of measured values.
    """
    header = read_header(path)
    check_fluorescence(header)
    if header.n_events == 0:
        raise UserError(path, "events", Plain("none"), "an FCS file with events")
    events = np.array(read_events(header), np.float32)
    for i, name in enumerate(header.channels):
        bad = int((~np.isfinite(events[:, i])).sum())
        if bad:
            raise UserError(path, f"channel {name}", Plain(f"{bad} values that are not finite"), "numbers")
    notes, logarithmic, odd = [], [], []
    for i, name in enumerate(header.channels):
        if name.lower() == "time":
            continue
        amplifier = _amplifier(_said(header, i, "E", otherwise="0,0"))
        gain = _number(_said(header, i, "G", otherwise="1"))
        odd += [f"$P{i + 1}{k} of {name}" for k, found in (("E", amplifier), ("G", gain)) if found is None]
        decades, offset = amplifier or (0.0, 1.0)
        if decades > 0:
            span = _number(_said(header, i, "R"))
            if span is None:
                said = _said(header, i, "R")
                raise UserError(path, f"TEXT keyword $P{i + 1}R", said or Plain("nothing"), "a number above zero")
            events[:, i] = offset * 10.0 ** (decades * events[:, i].astype(np.float64) / span)
            logarithmic.append(name)
        elif gain is not None and gain != 1.0:
            events[:, i] /= gain
    if odd:
        notes.append(f"says no amplifier or gain, and is taken for a linear one of gain 1: {', '.join(odd)}")
    if logarithmic:
        notes.append(f"logarithmic amplifiers made linear ($PnE): {', '.join(logarithmic)}")
    else:
        _check_linear(header, events)
    return Linear(header, events, notes)


def _said(header: FcsHeader, i: int, letter: str, *, otherwise: str = "") -> str:
    """What a channel's keyword says; `otherwise` where it is missing or empty."""
    return header.text.get(f"$P{i + 1}{letter}", "").strip() or otherwise


def _amplifier(text: str) -> tuple[float, float] | None:
    """Decades (0: linear) and offset of $PnE; None where these are no numbers."""
    found = re.fullmatch(r"([0-9.eE+-]+)\s*,\s*([0-9.eE+-]+)", text)
    if not found:
        return None
    decades, offset = (0.0 if re.fullmatch(r"[0.]+", number) else _number(number) for number in found.groups())
    if decades is None or offset is None:
        return None
    return decades, offset or 1.0  # "4,0" is written for "4,1"


def _number(text: str) -> float | None:
    """A number above zero; None where there is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) and value > 0 else None


def _check_linear(header: FcsHeader, events: NDArray[np.float32]) -> None:
    light = light_channels(header)
    dyes = [
        i
        for i, name in enumerate(header.channels)
        if i not in light
        and name.lower() != "time"
        and (_number(_said(header, i, "R")) or 0) >= LEAST_RANGE
        and not (PULSE.search(name) and PULSE.search(name)[1][0].upper() == "W")  # type: ignore[index]
    ]
    if len(dyes) < 3 or len(events) < 200:
        return
    tops = np.quantile(events[:, dyes], 0.999, axis=0)
    for end in CHANNEL_NUMBERS:
        if (tops <= end * OVER).all() and (tops > end / 4).sum() * 2 >= len(dyes):
            found = Plain(f"no dye above {tops.max():.0f}, though $PnR says {header.text.get(f'$P{dyes[0] + 1}R')}")
            expected = (
                f"linear values: these look like channel numbers of a display scale of {end}; export scale values "
                "(FlowJo: scale values, not channel values), or give the files of the instrument"
            )
            raise UserError(header.path, "events", found, expected)
