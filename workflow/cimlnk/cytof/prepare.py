"""Read a raw file for preparation (normalise, debarcode, compensate) and write the prepared one beside its facts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.json import write_json

from .fcs.header import FcsHeader, read_events, read_header
from .fcs.write import write_fcs
from .metals import find_masses

# Keywords that describe the old file's bytes or scaling; the new file has its own.
_OWN = re.compile(
    r"\$(P\d+.*|BEGIN.*|END(ANALYSIS|STEXT|DATA)|BYTEORD|DATATYPE|MODE|NEXTDATA|PAR|TOT|UNICODE)|.*SPILL.*"
)


@dataclass
class Acquisition:
    """A raw file in memory: `events` (float32, events × channels), `metals` (the names that carry the masses)."""

    header: FcsHeader
    metals: list[str]
    events: npt.NDArray[np.float32]

    @property
    def path(self) -> Path:
        return self.header.path


def read_acquisition(path: str | Path) -> Acquisition:
    """Read all channels of a file; `metals` comes from $PnS where a file has marker and metal swapped.

    Raises
    ------
    UserError
        If the file cannot be read, or holds values that are not finite (they would spread to other channels).
    """
    header = read_header(path)
    metals = list(header.markers if header.swapped else header.channels)
    events = np.asarray(read_events(header), dtype=np.float32)
    bad = [c for i, c in enumerate(header.channels) if not np.isfinite(events[:, i]).all()]
    if bad:
        raise UserError(path, "channels " + ", ".join(bad), Plain("values that are not finite"), "counts")
    return Acquisition(header, metals, events)


def write_acquisition(
    path: str | Path, acquisition: Acquisition, events: npt.NDArray[np.float32], *, step: str, note: str
) -> None:
    """Write `events` with the channels, markers and keywords of the file they came from.

    The keyword ``CIMLNK_<STEP>`` holds `note`, so that the file says what was done to it.
    """
    header = acquisition.header
    keywords = kept_keywords(header)
    keywords[f"CIMLNK_{step.upper()}"] = note
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_fcs(path, events, header.channels, markers=header.markers, metadata=keywords)


def kept_keywords(header: FcsHeader) -> dict[str, object]:
    """Keywords of a file that hold for its prepared copy as well: all but those of bytes, scaling and spillover."""
    return {k: v for k, v in sorted(header.text.items()) if not _OWN.fullmatch(k)}


def acquisitions(samples: pd.DataFrame, pooled: bool) -> dict[str, str]:
    """The files as they were acquired: name -> path.

    Parameters
    ----------
    samples
        The sheet's mass-cytometry samples (index sample, column path).
    pooled
        Whether a file holds several barcoded samples (which then share a path). A pool is named by its file, without
        the ending; otherwise an acquisition is named by its sample.

    Raises
    ------
    UserError
        If two pools have the same file name, or a name cannot be part of a result's path.
    """
    if not pooled:
        return {str(s): str(p) for s, p in samples["path"].items()}
    named: dict[str, str] = {}
    for path in dict.fromkeys(map(str, samples["path"])):
        name = Path(path).stem
        if name in named:
            raise UserError("sample sheet", "column path", path, f"a file name other than that of {named[name]}")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", name):
            raise UserError("sample sheet", "column path", path, "a pool's file name of letters, digits and . _ + -")
        named[name] = path
    return named


def leave_out(error: UserError, fcs: str | Path, record: str | Path, *, figure: str | Path) -> None:
    """Write the outputs of a step for a file that cannot be used: no events, and the reason in the record."""
    from .figures import figure as new_figure

    Path(fcs).parent.mkdir(parents=True, exist_ok=True)
    write_fcs(fcs, np.empty((0, 1), np.float32), ["Time"], metadata={"CIMLNK_LEFT_OUT": str(error)})
    write_json(record, {"left_out": True, "reason": str(error)})
    with new_figure(figure, 6, 1) as fig:
        fig.text(0.5, 0.5, f"left out: {error}", ha="center", va="center", wrap=True, fontsize=7)


def already(acquisition: Acquisition, step: str) -> bool:
    """Whether the file says that `step` was done to it before."""
    return f"CIMLNK_{step.upper()}" in acquisition.header.text


def columns_of_masses(
    names: Sequence[str], masses: Sequence[int], what: str, *, source: object = "events"
) -> npt.NDArray[np.intp]:
    """One column per mass.

    Raises
    ------
    UserError
        If a mass has no channel, or several; `what` says in the message what the masses are for.
    """
    found = find_masses(list(names), list(masses))
    for mass, columns in found.items():
        if len(columns) != 1:
            seen = "no channel" if not columns else "channels " + ", ".join(names[c] for c in columns)
            raise UserError(source, f"{what} mass {mass}", Plain(seen), "exactly one channel of that mass ($PnN)")
    return np.array([found[m][0] for m in masses], dtype=np.intp)


def time_column(names: Sequence[str], source: object = "events") -> int:
    """The column of the acquisition time."""
    hits = [i for i, name in enumerate(names) if name.strip().lower() == "time"]
    if len(hits) != 1:
        raise UserError(source, "channels ($PnN)", Plain(f"{len(hits)} channels called Time"), "one", names)
    return hits[0]
