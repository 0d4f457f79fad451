"""One sample's file read for gating: the panel's channels, raw and on the gating scale."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.errors import LeftOutBefore, Plain, UserError
from cimlnk.cytof.acquisition import Acquisition, check_acquisition
from cimlnk.cytof.fcs.header import FcsHeader, read_events, read_header
from cimlnk.cytof.panel import LIGHT, LINEAR, Matched, compact, load_panel, match_panel
from cimlnk.cytof.transform import check_scale

from .scale import gating_scale

log = logging.getLogger("cimlnk.cytof")


@dataclass
class Sample:
    """A file read for gating: raw events and the same on the gating scale, columns in the panel's order."""

    header: FcsHeader
    matched: Matched
    events: NDArray[np.float32]
    scaled: NDArray[np.float32]
    notes: list[str]
    acquired: FcsHeader | None = None  # as the instrument wrote it, where gates are drawn by hand


def read_sample(fcs: str | Path, panel: str | Path, settings: Mapping[str, Any]) -> Sample:
    """Read the panel's channels of a file and bring them to the gating scale.

    Raises
    ------
    UserError
        If the file cannot be read, lacks a channel of the panel, has no events, or its values are not what
        `cytof.input_scale` says.
    """
    header, matched, events = read_channels(fcs, load_panel(panel))
    evidence = check_scale(events[:, [c.column for c in matched.markers]], settings["input_scale"], fcs)
    done = header.text.get("CIMLNK_FLUORESCENCE")
    notes = [*header.notes, *([done] if done else []), *matched.notes]
    for note in notes:
        log.info("%s: %s", Path(fcs).name, note)
    log.info("%s: %d events, %s", Path(fcs).name, len(events), evidence)
    return Sample(header, matched, events, gating_scale(events, matched, settings["input_scale"]), notes)


def read_channels(fcs: str | Path, sheet: Any) -> tuple[FcsHeader, Matched, NDArray[np.float32]]:
    """The panel's channels of a file (`sheet` of :func:`cimlnk.cytof.panel.load_panel`) as they are written there.

    Raises
    ------
    UserError
        If the file cannot be read, was left out by its preparation, lacks a channel of the panel or has no events.
    """
    header = read_header(fcs)
    if "CIMLNK_LEFT_OUT" in header.text:
        raise LeftOutBefore(fcs, header.text["CIMLNK_LEFT_OUT"])
    matched = compact(match_panel(header, sheet))
    if header.n_events == 0:
        raise UserError(fcs, "events", Plain("none"), "an FCS file with events")
    return header, matched, np.asarray(read_events(header, [c.channel for c in matched.channels]), dtype=np.float32)


def judge_acquisition(data: Sample, settings: Mapping[str, Any]) -> Acquisition:
    """:func:`check_acquisition` on the ion channels of a sample."""
    ions = [c for c in data.matched.channels if c.role not in (*LINEAR, *LIGHT, "barcode")]
    time = data.matched.of_role("time")
    return check_acquisition(
        data.events[:, time[0].column] if time else None,
        data.scaled,
        [c.marker for c in ions],
        settings=settings["acquisition_qc"],
        columns=[c.column for c in ions],
    )
