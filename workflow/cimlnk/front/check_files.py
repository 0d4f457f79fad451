"""Look at every raw file: what it holds, on which scale, and whether the panel fits it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.cohort.words import count, listed
from cimlnk.common.errors import UserError, UserErrors
from cimlnk.common.markers import read_name
from cimlnk.cytof.fcs.header import FcsHeader, read_events, read_header
from cimlnk.cytof.flow.instrument import foreign_to_mass
from cimlnk.cytof.panel import TECHNICAL, match_panel
from cimlnk.rna.antibodies import HASHTAG, PROTEIN, read_antibodies
from cimlnk.rna.counts import Counts
from cimlnk.rna.read import read_counts

from .check_events import Events
from .findings import NOTE, STOP, WARN, Findings
from .scale import guess_scale
from .words_of_names import parse_date

SHOWN_EVENTS = 5_000
LARGEST_RNA = 300_000_000  # bytes: counts beyond it are not opened here
PULSE = {"time", "event_length", "cell_length", "center", "offset", "width", "residual"}


def look_at_fcs(
    rows: Sequence[Mapping[str, Any]], panel: pd.DataFrame | None, settings: Mapping[str, Any], *,
    findings: Findings, lines: Mapping[str, int] | None = None,
) -> dict[str, FcsHeader]:  # fmt: skip
    """Header, scale and panel of each FCS file; the usable ones are returned by sample.

    Parameters
    ----------
    rows
        ``sample`` and ``path`` of each.
    panel
        PANEL, or None where it could not be read.
    settings
        `input_scale` and `minimum_events` of the config's section `cytof`.
    lines
        Channel -> row of the panel sheet, for messages.
    """
    input_scale = settings["input_scale"]
    refused = Refused(panel, lines or {})
    headers: dict[str, FcsHeader] = {}
    table, unused, zero, bad, known = [], Counter[str](), Counter[str](), 0, Events()
    for row in rows:
        sample, path = str(row["sample"]), Path(str(row["path"]))
        try:
            header = read_header(path)
        except UserError as error:
            findings.add(WARN, f"{sample} would be left out: {str(error).splitlines()[0]}")
            bad += 1
            continue
        try:
            matched = None if panel is None or not len(panel) else match_panel(header, panel)
        except UserError as error:
            refused.add(sample, header, error)
            bad += 1
            continue
        events = _some(header)
        shown = [i for i, c in enumerate(header.channels) if c.lower() not in PULSE]
        columns = [c.column for c in matched.markers] if matched and matched.markers else shown
        scale = guess_scale(events[:, columns], header.channels, header.text)
        names = [header.channels[i] for i in columns]
        known.add(sample, path, events[:, columns], names=names, findings=findings)
        if not (scale.name == input_scale or (input_scale == "compensated" and scale.name == "raw")):
            findings.add(WARN, f"{sample} would be left out: its values look {scale.name} ({scale.why}), "
                               f"the config says cytof.input_scale: {input_scale}")  # fmt: skip
            bad += 1
            continue
        if matched:
            for channel in matched.channels:
                if channel.role != "ignore" and len(events) and not events[:, channel.column].any():
                    zero[f"{channel.marker} ({channel.channel})"] += 1
            used = {c.column for c in matched.channels if c.role != "ignore"}
            for i, (channel_name, label) in enumerate(zip(header.channels, header.markers, strict=True)):
                unused.update([f"{channel_name} {label}".strip()] if i not in used else [])
        headers[sample] = header
        foreign = foreign_to_mass(header)
        if foreign:
            findings.add(
                WARN, f"{sample} {foreign}: is it modality flow? Its scale and spillover are not those of counts"
            )
        dated = parse_date(header.text.get("$DATE"))  # de-identified files have other words there
        notes = [*header.notes, *(matched.notes if matched else ())]
        table.append({"sample": sample, "events": header.n_events, "channels": len(header.channels),
                      "instrument": header.text.get("$CYT") or scale.instrument, "scale": scale.name,
                      "date": dated.isoformat() if dated else "", "notes": "; ".join(notes)})  # fmt: skip
    for text in refused.texts():
        findings.add(WARN, text)
    known.tell(findings, len(rows))
    look_at_events({s: h.n_events for s, h in headers.items()}, settings["minimum_events"], findings)
    if table:
        findings.tables["Mass cytometry files"] = pd.DataFrame(table)
    if rows and bad == len(rows):
        findings.add(STOP, f"none of {count(bad, 'FCS file')} can be used")
    if input_scale == "scaled" and headers:
        findings.add(
            WARN, "the values are scaled to about 0-1, not counts: what lies above the noise cannot be determined"
        )
    for name, n in sorted(zero.items()):
        findings.add(WARN, f"{name} is zero in all events looked at, in {n} of {count(len(rows), 'file')}")
    if unused:
        findings.add(NOTE, f"{count(len(unused), 'channel')} not used: {', '.join(sorted(unused)[:12])}"
                           + (" …" if len(unused) > 12 else ""))  # fmt: skip
    return headers


class Refused:
    """Files whose channels do not fit the panel: those of which the same is to be said make one line."""

    def __init__(self, panel: pd.DataFrame | None, lines: Mapping[str, int]) -> None:
        self.panel, self.lines = panel, lines
        self.kinds: dict[tuple[object, ...], list[str]] = {}
        self.first: dict[tuple[object, ...], str] = {}

    def add(self, sample: str, header: FcsHeader, error: UserError) -> None:
        """A sample that :func:`cimlnk.cytof.panel.match_panel` refused, and why."""
        errors = error.errors if isinstance(error, UserErrors) else [error]
        key = (*((e.where, str(e.found), e.expected) for e in errors),)
        self.kinds.setdefault(key, []).append(sample)
        said = str(errors[0]) if not self.kinds[key][1:] else str(errors[0]).removeprefix(f"{errors[0].file}: ")
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        rows = exchanged(header, self.panel) if self.panel is not None else []
        if rows:
            pairs = [f"$PnS of {c} says {label}, the panel says {marker}" + self._row(c) for c, marker, label in rows]
            said, more = "; ".join(pairs[:4]) + " …" * (len(rows) > 4), ": are two rows exchanged?"
        self.first[key] = said + more

    def _row(self, channel: str) -> str:
        return f" (row {self.lines[channel]})" if channel in self.lines else ""

    def texts(self) -> list[str]:
        """One line for each kind of misfit."""
        return [
            f"{samples[0]} would be left out: {self.first[key]}"
            if len(samples) == 1
            else f"{len(samples)} samples would be left out ({listed(samples)}): {self.first[key]}"
            for key, samples in self.kinds.items()
        ]


def exchanged(header: FcsHeader, panel: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Channel, the panel's marker and the file's label, where the label names another marker of the panel."""
    labels = dict(zip(header.channels, header.markers, strict=True)) if not header.swapped else {}
    markers = set(panel.loc[~panel["role"].isin(TECHNICAL), "marker"])
    found = []
    for row in panel[~panel["role"].isin(TECHNICAL)].to_dict("records"):
        label = labels.get(row["channel"], "")
        named = read_name(label).marker if label else None
        if named in markers and named != row["marker"]:
            found.append((str(row["channel"]), str(row["marker"]), label))
    return found


def look_at_events(events: Mapping[str, int], least: int, findings: Findings) -> None:
    """Files with so few events that no threshold of their own can be placed."""
    empty = [sample for sample, n in events.items() if n == 0]
    if empty:
        findings.add(WARN, f"no events in {count(len(empty), 'file')} ({listed(empty)}): nothing can be found there")
    few = {sample: n for sample, n in events.items() if 0 < n < least}
    if few:
        shown = listed([f"{sample}: {count(n, 'event')}" for sample, n in few.items()])
        files = f"{count(len(few), 'file')} ({shown})"
        findings.add(WARN, f"fewer than {least:,} events (cytof.minimum_events) in {files}: thresholds come from all "
                           "samples of the batch")  # fmt: skip


def _some(header: FcsHeader) -> np.ndarray:
    """Up to 5,000 events spread over the file."""
    small = header
    if header.n_events > 50 * SHOWN_EVENTS:  # of a big file its beginning, not all of it
        small = replace(header, layout=replace(header.layout, n_events=50 * SHOWN_EVENTS))
    events = read_events(small)
    return np.asarray(events[:: max(1, len(events) // SHOWN_EVENTS)], dtype=np.float32)


def _antibodies(counts: Counts, sample: str, findings: Findings, *, told: bool) -> str:
    """How many antibodies a sample's file holds, which of them no definition or rule can read, and hashtags that nobody
    has called (`told`: whether the antibody sheet names the sample's own)."""
    if counts.antibodies is None:
        return "0"
    found = read_antibodies([str(n) for n in counts.antibodies.names])
    proteins = [a for a in found if a.kind == PROTEIN]
    unknown = [a.name for a in proteins if not a.known]
    if unknown:
        shown = ", ".join(unknown[:6]) + (" …" if len(unknown) > 6 else "")
        findings.add(
            NOTE, f"{sample}: antibodies that are no markers of the table and name nothing ({len(unknown)}): {shown}"
        )
    tags = [a.name for a in found if a.kind == HASHTAG]
    if len(tags) > 1 and not told:
        shown = ", ".join(tags[:4]) + ", …" * (len(tags) > 4)
        findings.add(
            WARN,
            f"{sample}: its file holds {len(tags)} hashtags ({shown}), and all its cells count for this sample; if "
            "they are of several people or days, give every one a row of its own with this file, and its call in an "
            "antibody sheet (rna.antibodies: columns hashtags and hashtag)",
        )
    return f"{len(proteins)} and {len(found) - len(proteins)} controls or hashtags"


def look_at_rna(
    rows: Sequence[Mapping[str, Any]],
    genes: Sequence[str],
    findings: Findings,
    *,
    called: Collection[str] = (),
    least: int = 0,
) -> dict[str, NDArray[np.object_]]:
    """Cells, molecules and marker genes of each sample of single-cell RNA; returns the barcodes of those looked at.

    `called` are samples whose cells are distinguished from others of their file by hashtags; `least` is the number of
    NK cells below which a sample is left out (``rna.nk.min_cells``).
    """
    table, bad = [], 0
    barcodes: dict[str, NDArray[np.object_]] = {}
    for row in rows:
        sample, path = str(row["sample"]), Path(str(row["path"]))
        size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else path.stat().st_size
        if size > LARGEST_RNA:
            findings.add(NOTE, f"{sample}: {size / 1e6:,.0f} MB of counts are not opened by this check")
            continue
        try:
            counts = read_counts(path)
        except UserError as error:
            findings.add(WARN, f"{sample} would be left out: {str(error).splitlines()[0]}")
            bad += 1
            continue
        barcodes[sample] = counts.barcodes
        per_cell = np.asarray(counts.matrix.sum(axis=1)).ravel()
        if len(per_cell) < least:
            findings.add(WARN, f"{sample} would be left out: its file holds {count(len(per_cell), 'cell')}, and fewer "
                               f"than {least} NK cells (rna.nk.min_cells) cannot be used")  # fmt: skip
            bad += 1
        have = len(set(genes) & set(map(str, counts.genes)))
        if have < len(genes) / 2:
            findings.add(WARN, f"{sample} has {have} of the {len(genes)} genes the definitions look for")
        table.append({"sample": sample, "cells": len(per_cell), "genes": counts.matrix.shape[1],
                      "molecules per cell": float(np.median(per_cell)) if len(per_cell) else np.nan,
                      "marker genes": f"{have} of {len(genes)}",
                      "antibodies": _antibodies(counts, sample, findings, told=sample in called),
                      "notes": "; ".join(counts.notes)})  # fmt: skip
    if table:
        findings.tables["Single-cell RNA"] = pd.DataFrame(table)
    if rows and bad == len(rows):
        findings.add(STOP, f"none of {count(bad, 'RNA sample')} can be used")
    return barcodes
