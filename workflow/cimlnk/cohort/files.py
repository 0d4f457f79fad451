"""Cheap checks of the raw files that are there: FCS channels against the panel, given checksums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from cimlnk.common.errors import Plain, Problems, UserError, nearest
from cimlnk.common.provenance import sha256

from .sheets import Cohort


class Header(Protocol):
    """What a reader of FCS headers gives: channel names ($PnN) and marker names ($PnS), in order."""

    @property
    def channels(self) -> Sequence[str]: ...

    @property
    def markers(self) -> Sequence[str]: ...


def check_files(cohort: Cohort, read_header: Callable[[Path], Header]) -> Problems:
    """Check every raw file the user gives, without reading events.

    Simulated and downloaded files are passed over: they may be in the making, and their rules check them.

    Parameters
    ----------
    cohort
        From :func:`cimlnk.cohort.sheets.load_cohort`.
    read_header
        :func:`cimlnk.cytof.fcs.read_header` or the like; handed in because this stage stands before that one.

    Returns
    -------
    Problems
        One entry per panel channel a file lacks (with the nearest of its channels; where the channel was only renamed,
        the channel with that marker), per unreadable file and per wrong checksum. Roles ``ignore`` may be absent.
    """
    problems = Problems()
    needed = cohort.panel[cohort.panel["role"] != "ignore"]
    for row in cohort.samples.to_dict("records"):
        if row["sample"] not in cohort.given:
            continue
        path, source = Path(row["path"]), cohort.sources[row["sample"]]
        if row["sha256"] is not None and (found := sha256(path)) != row["sha256"].lower():
            expected = f"sha256 {row['sha256'].lower()} as in the sample sheet"
            problems.add(source, f"sample {row['sample']}", Plain(f"sha256 {found}"), expected)
            continue
        if row["modality"] != "cytof":
            continue
        try:
            header = read_header(path)
        except UserError as error:
            problems.extend(error)
            continue
        for entry in needed.to_dict("records"):
            if entry["channel"] not in header.channels:
                problems.errors.append(_lacking(source, row["sample"], entry["channel"], entry["marker"], header))
    return problems


def _lacking(source: str, sample: str, channel: str, marker: str, header: Header) -> UserError:
    same = [c for c, m in zip(header.channels, header.markers, strict=True) if m.strip().lower() == marker.lower()]
    where = f"sample {sample}, channels ($PnN)"
    expected = f"the panel's channel {channel!r} ({marker})"
    if same:
        return UserError(source, where, Plain("no such channel"), f"{expected}; marker {marker} stands on {same[0]!r}")
    return UserError(source, where, Plain("no such channel"), f"{expected}{_perhaps(channel, header)}")


def _perhaps(channel: str, header: Header) -> str:
    near = nearest(channel, header.channels)
    return f"; the nearest channel of the file is {near!r}" if near is not None else ""
