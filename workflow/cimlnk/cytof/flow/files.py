"""Flow-cytometry files to what gating reads: without spillover, with the size of a cell and the shape of its pulse."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimlnk.common.errors import UserError
from cimlnk.common.json import write_json
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.panel import UNREAD, load_panel, match_panel
from cimlnk.cytof.prepare import kept_keywords

from .instrument import COMPENSATED_NAME, pulse_channels
from .read import Linear, read_linear
from .spillover import Spillover, applied_already, compensate, keyword_spillover, read_spillover

log = logging.getLogger("cimlnk.cytof.flow")

NOTE = "CIMLNK_FLUORESCENCE"  # keyword of a prepared file: what was done to it
SHAPE = "Pulse"  # channel written: area of the scatter pulse over its height, or its width
MOST_OFF = 0.25  # share of events off the scale of scatter above which it says nothing


def compensated_events(
    data: Linear, settings: Mapping[str, Any], matrix: str | Path | None = None
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """Events without spillover, and what was done.

    Parameters
    ----------
    data
        From :func:`.read.read_linear`.
    settings
        ``apply``: ``auto`` applies the matrix unless the values are compensated already, ``yes`` always, ``no`` never.
    matrix
        Sheet with the matrix; by default that of the file's keywords.

    Returns
    -------
    events, record
        The record holds ``source``, ``applied`` (bool) and ``evidence``.
    """
    header, events, _ = data
    spill = read_spillover(matrix, header) if matrix else keyword_spillover(header)
    if spill is None:
        unmixed = header.text.get("$CYT", "").strip() or "no $CYT"
        evidence = f"no spillover matrix in the file ({unmixed}), taken as unmixed or compensated"
        return events, {"source": "none", "applied": False, "evidence": evidence}
    columns = [header.index(c) for c in spill.channels]
    done, evidence = _done_already(data, spill, columns, wanted=settings["apply"])
    record = {"source": spill.source, "applied": not done, "evidence": evidence}
    if done:
        return events, record
    return compensate(events, columns, spill.matrix), record


def _done_already(data: Linear, spill: Spillover, columns: Sequence[int], *, wanted: str) -> tuple[bool, str]:
    if spill.identity:
        return True, "the matrix is the identity: nothing spills over"
    if wanted in ("yes", "no"):
        return wanted == "no", f"flow.compensation.apply: {wanted}"
    named = [data.header.channels[c] for c in columns if COMPENSATED_NAME.match(data.header.channels[c])]
    if len(named) == len(columns):
        return True, f"the channels are named as compensated ({named[0]}, …)"
    told = applied_already(data.events, columns, spill)
    if told.done is None:
        return False, f"{told.evidence}: taken as uncompensated"
    return told.done, f"{told.evidence}: {'compensated already' if told.done else 'uncompensated'}"


def compensate_file(
    *,
    fcs: str | Path,
    panel: str | Path,
    matrix: str | Path | None,
    output: str | Path,
    record: str | Path,
    settings: Mapping[str, Any],
) -> None:
    """Write one file as gating reads it.

    Writes to `output` an FCS file with the panel's channels (compensated, linear, names as in `fcs`), forward scatter
    as ``FSC-A``, the shape of its pulse as ``Pulse``, and Time; its keyword ``CIMLNK_FLUORESCENCE`` says what was done.
    To `record` the same as JSON.

    Parameters
    ----------
    fcs, panel
        A file of the instrument, and the panel sheet.
    matrix
        Spillover matrix (CSV) for all files; None takes each file's own keyword.
    settings
        The config's section `flow.compensation`.

    Raises
    ------
    UserError
        What :func:`.read.read_linear`, :func:`.spillover.read_spillover` and :func:`cimlnk.cytof.panel.match_panel`
        refuse.
    """
    data = read_linear(fcs)
    matched = match_panel(data.header, load_panel(panel))
    events, done = compensated_events(data, settings, matrix)
    names, columns, markers = [], [], []
    for channel in matched.channels:
        if channel.role in (*UNREAD, "scatter", "pulse"):
            continue
        names.append(channel.channel)
        columns.append(events[:, channel.column])
        markers.append("" if channel.role == "time" else channel.marker)
    time = [c for c in data.header.channels if c.lower() == "time" and c not in names]
    for name in time[:1]:
        names.append(name)
        columns.append(events[:, data.header.index(name)])
        markers.append("")
    scattered = {data.header.channels[c.column] for c in matched.of_role("scatter")}
    light, notes = scatter_columns(data, sorted(scattered))
    for name, values in light.items():
        names.append(name)
        columns.append(values)
        markers.append("")
    said = [
        *data.notes,
        *notes,
        f"spillover: {done['source']}, {'applied' if done['applied'] else 'not applied'}; {done['evidence']}",
    ]
    keywords = kept_keywords(data.header)
    keywords[NOTE] = "; ".join(said)
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    write_fcs(output, np.column_stack(columns), names, markers=markers, metadata=keywords)
    write_json(record, {"left_out": False, "n_events": len(events), "compensation": done, "notes": said})
    for note in said:
        log.info("%s: %s", Path(fcs).name, note)


def leave_out(error: UserError, *, output: str | Path, record: str | Path) -> None:
    """Write what :func:`compensate_file` would for a file that cannot be used: no events, and the reason."""
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    write_fcs(output, np.empty((0, 1), np.float32), ["Time"], metadata={"CIMLNK_LEFT_OUT": str(error)})
    write_json(record, {"left_out": True, "reason": str(error)})


def scatter_columns(data: Linear, named: Sequence[str] = ()) -> tuple[dict[str, NDArray[np.floating]], list[str]]:
    """Forward scatter (``FSC-A``) and the shape of its pulse (``Pulse``), as far as the file holds them.

    The shape is area over height; without a height the width, else 1. Events off the scale of an area (clumps, and
    bubbles: their pulse has no shape) get 0. `named` are channels that the panel calls scatter; by default those named
    FSC and SSC. What is missing is said.
    """
    header, events, _ = data
    found = pulse_channels(header.channels)
    forward = next((d for d in found if d.startswith(("FS", "FORWARD"))), None)
    size = found[forward].get("A", found[forward].get("H")) if forward else None
    if size is None and named:
        size = header.index(named[0])
    if size is None:
        return {}, ["no forward scatter: debris and doublets cannot be recognised by it"]
    shape, how = _shape(events, found, forward)
    areas = [parts["A"] for parts in found.values() if "A" in parts] or [size]
    off = np.zeros(len(events), bool)
    for i in areas:
        limit = header.text.get(f"$P{i + 1}R", "").strip()
        if limit.replace(".", "", 1).isdigit() and float(limit) > 1:
            off |= events[:, i] >= float(limit) - 1
    notes = [how]
    if off.mean() > MOST_OFF:
        notes.append(
            f"{off.mean():.0%} of the events are off the scale of scatter: the gain was too high; they are kept"
        )
    elif off.any():
        shape = np.where(off, 0.0, shape)
        notes.append(f"{int(off.sum())} events off the scale of scatter")
    return {"FSC-A": events[:, size], SHAPE: shape}, notes


def _shape(
    events: NDArray[np.floating], found: Mapping[str, Mapping[str, int]], forward: str | None
) -> tuple[NDArray[np.floating], str]:
    detectors = [*([forward] if forward else []), *(d for d in found if d != forward)]
    for detector in detectors:
        parts = {k: events[:, i].astype(np.float64) for k, i in found[detector].items()}
        if "A" in parts and "H" in parts:
            ratio = np.divide(parts["A"], parts["H"], out=np.ones(len(events)), where=parts["H"] > 0)
            return ratio, f"doublets by {detector}-A over {detector}-H"
    for detector in detectors:
        if "W" in found[detector]:
            return events[:, found[detector]["W"]].astype(np.float64), f"doublets by {detector}-W"
    why = "no height and no width of the scatter pulse: doublets are told by the lineages alone"
    return np.ones(len(events)), why
