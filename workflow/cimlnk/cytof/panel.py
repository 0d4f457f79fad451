"""From the panel sheet to the columns of one FCS file: by channel name, and where that differs by metal or marker."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cimlnk.cohort.panel import marker_name, rename_markers
from cimlnk.cohort.read import LINE
from cimlnk.cohort.rows import read_rows
from cimlnk.cohort.tables import PANEL
from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.markers import read_name

if TYPE_CHECKING:
    from .fcs.header import FcsHeader

UNREAD = ("ignore", "autofluorescence")
LIGHT = ("scatter", "pulse")  # of the light a cell scatters: not every instrument stores all of it
TECHNICAL = ("bead", "dna", "viability", "time", "event_length", "gaussian", "barcode", *LIGHT, *UNREAD)
DECIDING = ("lineage", "identity")  # markers that distinguish NK cells from others; every file needs them
LINEAR = ("time", "event_length", "gaussian", "pulse")  # no ion counts: gated on the scale of the instrument
METAL = re.compile(r"(?:^|[(\s_])(?:(\d{2,3})([A-Z][a-z]?)|([A-Z][a-z]?)-?(\d{2,3}))(?:\)?D[id])?(?:$|[)\s_])")


@dataclass(frozen=True)
class Channel:
    """One row of the panel found in a file: its column there, and what the panel says of it."""

    column: int
    channel: str
    marker: str
    role: str
    cofactor: float
    cluster: bool


@dataclass(frozen=True)
class Matched:
    """The panel's channels in a file (in the panel's order), and notes on those under another name.

    `absent` holds channel and marker of what this file did not measure, though the panel has it; `conflicts` marker,
    channel and $PnS label where the label names another known marker (the panel sheet is followed).
    """

    channels: tuple[Channel, ...]
    notes: tuple[str, ...]
    absent: tuple[tuple[str, str], ...] = ()
    conflicts: tuple[tuple[str, str, str], ...] = ()

    def of_role(self, role: str) -> list[Channel]:
        return [c for c in self.channels if c.role == role]

    def of_marker(self, marker: str) -> Channel | None:
        wanted = marker_name(marker)
        return next((c for c in self.channels if c.marker == wanted), None)

    @property
    def markers(self) -> list[Channel]:
        """What cells are described by: everything that is not technical."""
        return [c for c in self.channels if c.role not in TECHNICAL]


def load_panel(path: str | Path) -> pd.DataFrame:
    """The panel sheet (PANEL), markers by the names of ``resources/markers.tsv``; every mistake in one UserErrors."""
    problems = Problems()
    rows = read_rows(Path(path), "panel", str(path), problems=problems)
    problems.raise_if_any()
    assert rows is not None
    return rename_markers(PANEL.check(rows.drop(columns=LINE, errors="ignore")))


def match_panel(header: FcsHeader, panel: pd.DataFrame) -> Matched:
    """Find every channel of the panel in a file.

    A row is looked up by $PnN, then by its metal ("Nd145Di", "(Nd145)Dd" and "145Nd" are one), then by its marker in
    $PnS. Only the first way is silent. Rows of role `ignore` may be absent. So may markers that do not decide which
    events are NK cells (any role but lineage and identity): panels change, and such a
    channel is then not measured in this file, and its gate not made, as where the whole panel lacks it.
    A row that is never read yields its channel to one that is: one panel may serve files that name channels otherwise.

    Raises
    ------
    UserErrors
        For every row that is not in the file (with the nearest channel), that finds two channels, or whose channel
        has another marker of the panel in $PnS.
    """
    problems = Problems()
    notes: list[str] = []
    found: list[Channel] = []
    taken: dict[int, str] = {}
    absent: list[tuple[str, str]] = []
    conflicts: list[tuple[str, str, str]] = []
    renamed: dict[str, list[tuple[str, str]]] = {}
    names = list(header.channels)
    keys = {_key(m): m for m, r in zip(panel["marker"], panel["role"], strict=True) if r not in TECHNICAL}
    for row in panel.to_dict("records"):
        wanted, marker, role = str(row["channel"]), str(row["marker"]), str(row["role"])
        where = f"panel channel {wanted} ({marker})"
        columns, how = _lookup(header, wanted, marker)
        if len(columns) != 1:
            if role in UNREAD:
                continue
            if not columns and role not in DECIDING:
                absent.append((wanted, marker))
                continue
            seen = Plain("no such channel" if not columns else "channels " + ", ".join(names[c] for c in columns))
            error_names = [*names, *(m for m in header.markers if m)]
            if columns:
                problems.add(header.path, where, seen, "one channel of the file")
            else:
                near = _nearest_names(wanted, marker, error_names)
                hint = f" (nearest: {', '.join(near)})" if near else ""
                problems.add(header.path, where, seen, f"a channel of the file{hint}")
            continue
        column = columns[0]
        if role in UNREAD:
            found.append(Channel(column, names[column], marker, role, float(row["cofactor"]), cluster=False))
            continue
        if column in taken:
            problems.add(header.path, where, names[column], f"a channel of its own; {taken[column]} has it already")
            continue
        other = keys.get(_key(header.markers[column])) if role not in TECHNICAL else None
        if how == "name" and other is not None and other != marker and not header.swapped:
            problems.add(header.path, where, header.markers[column], f"$PnS of {names[column]} to be {marker}")
            continue
        taken[column] = marker
        label = header.markers[column]
        meant = read_name(label).marker if role not in TECHNICAL and not header.swapped else None
        if meant is not None and meant != marker:
            conflicts.append((marker, names[column], label))
            notes.append(f"{marker}: $PnS of {names[column]} is {label}; the panel sheet is followed")
        if how != "name":
            renamed.setdefault(how, []).append((wanted, names[column]))
        cluster = str(row["cluster"]) == "yes"
        found.append(Channel(column, names[column], marker, role, float(row["cofactor"]), cluster))
    problems.raise_if_any()
    notes += _one_note_a_kind(renamed, absent)
    kept = tuple(c for c in found if c.role not in UNREAD or c.column not in taken)
    return Matched(kept, tuple(notes), tuple(absent), tuple(conflicts))


def _one_note_a_kind(renamed: dict[str, list[tuple[str, str]]], absent: list[tuple[str, str]]) -> list[str]:
    notes = []
    for how, pairs in renamed.items():
        listed = ", ".join(f"{wanted} is {name}" for wanted, name in pairs)
        notes.append(f"channels of the panel found by their {how}: {listed}")
    if absent:
        listed = ", ".join(wanted if wanted == marker else f"{wanted} ({marker})" for wanted, marker in absent)
        notes.append(f"not measured, since the file has no such channel: {listed}")
    return notes


def markers_in(header: FcsHeader, panel: pd.DataFrame) -> set[str]:
    """The markers of a file: those of the panel that it is read by. Where the panel does not fit it, or half of the
    channels are called otherwise, what its own names say, and the panel's markers on channels without one."""
    try:
        matched = match_panel(header, panel)
    except UserError:
        matched = None  # the gating says why
    if matched is not None and 2 * len(matched.conflicts) < len(matched.markers):
        return {c.marker for c in matched.channels}
    labels = [m or c for c, m in zip(header.channels, header.markers, strict=True)]
    found = {m for m in (read_name(name).marker for name in [*labels, *header.channels]) if m is not None}
    for row in panel.to_dict("records"):
        columns, _ = _lookup(header, str(row["channel"]), str(row["marker"]))
        if row["role"] not in TECHNICAL and any(not _key(METAL.sub("", labels[c])) for c in columns):
            found.add(str(row["marker"]))
    return found


def _lookup(header: FcsHeader, wanted: str, marker: str) -> tuple[list[int], str]:
    for i, name in enumerate(header.channels):
        if name == wanted:
            return [i], "name"
    folded = [i for i, n in enumerate(header.channels) if n.casefold() == wanted.casefold()]
    if folded:
        return folded, "name in other letters"
    metal = _metal(wanted)
    if metal is not None:
        labels = header.markers if header.swapped else header.channels
        same = [i for i, n in enumerate(labels) if _metal(n) == metal]
        if same:
            return same, "metal"
    key = _key(marker)
    labelled = [i for i, n in enumerate(header.markers) if n and _key(n) == key]
    if not labelled and header.swapped:
        labelled = [i for i, n in enumerate(header.channels) if _key(n) == key]
    return labelled, "marker name"


def _metal(name: str) -> tuple[str, int] | None:
    hit = METAL.search(name)
    if hit is None:
        return None
    element, mass = (hit[2], hit[1]) if hit[1] else (hit[3], hit[4])
    return element, int(mass)


def _key(marker: str) -> str:
    """Letters and digits of a marker name without its isotope: ``174Yb_HLA-DR`` and ``HLADR`` are one."""
    plain = re.sub(r"^\d{2,3}[A-Z][a-z]?[_\s-]+", "", marker.strip())
    return re.sub(r"[^a-z0-9]", "", plain.lower())


def _nearest_names(wanted: str, marker: str, names: Sequence[str]) -> list[str]:
    import difflib

    table = {n.lower(): n for n in names}
    near = [*difflib.get_close_matches(wanted.lower(), table, 3, 0.6)]
    near += [n for n in difflib.get_close_matches(marker.lower(), table, 2, 0.6) if n not in near]
    return [table[n] for n in near]


def compact(matched: Matched) -> Matched:
    """The same channels with columns 0, 1, … in the panel's order, as if only they were read; others are dropped."""
    used: Sequence[Channel] = [c for c in matched.channels if c.role not in UNREAD]
    renumbered = tuple(Channel(i, c.channel, c.marker, c.role, c.cofactor, c.cluster) for i, c in enumerate(used))
    return Matched(renumbered, matched.notes, matched.absent)
