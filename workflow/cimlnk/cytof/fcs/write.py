"""Write FCS 3.1 fast and exactly: float32 events, any channel names, no time stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from cimlnk.common.errors import UserError

DELIMITERS = "/|\\!^~\x0c\x1e"
TEXT_BEGIN = 58
HEADER_LIMIT = 99_999_999  # the HEADER has eight digits; larger offsets stand in TEXT alone
ROWS = 262_144


def write_fcs(
    path: str | Path,
    events: ArrayLike,
    channels: Sequence[str],
    *,
    markers: Sequence[str] | None = None,
    metadata: Mapping[str, object] | None = None,
    big_endian: bool = False,
) -> None:
    """Write one FCS 3.1 file ($DATATYPE F, $MODE L).

    Parameters
    ----------
    path
        The file to write.
    events
        Events × channels, any array; stored as float32 bit by bit (also NaN and -0.0).
    channels
        $PnN, unique and not empty.
    markers
        $PnS; an empty one is left out, since FCS knows no empty values.
    metadata
        Further keywords (``{"$CYT": "Helios", "FILENAME": "a/b"}``); values of any type are written by `str`, None
        and empty ones are left out. Keywords that describe DATA are set here and cannot be overridden.
    big_endian
        Byte order of the instrument to imitate; little-endian by default.

    Notes
    -----
    The delimiter is the first of ``/|\\!^~`` (or a control character) that no keyword and no value contains, so that a
    marker like ``KIR2DL2/3`` survives in every reader; should all of them occur it is doubled, as the standard says.
    Equal input gives equal bytes.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from cimlnk.cytof.fcs import read_events, read_header, write_fcs
    >>> with TemporaryDirectory() as folder:
    ...     write_fcs(f"{folder}/a.fcs", [[0, 1.5], [2, 3]], ["Time", "Yb176Di"], markers=["", "CD56"])
    ...     header = read_header(f"{folder}/a.fcs")
    ...     events = read_events(header, ["Yb176Di"])
    >>> header.markers, events.ravel().tolist()
    (('', 'CD56'), [1.5, 3.0])
    """
    table = np.asarray(events)
    if table.ndim != 2 or table.shape[1] != len(channels):
        raise ValueError(f"events of shape {table.shape} do not fit {len(channels)} channels")
    if markers is not None and len(markers) != len(channels):
        raise ValueError(f"{len(markers)} markers for {len(channels)} channels")
    names = [str(c).strip() for c in channels]
    for i, name in enumerate(names):
        if not name:
            raise UserError(path, f"channel {i + 1} ($PnN)", name, "a name that is not empty")
        if name in names[:i]:
            raise UserError(path, f"channel {i + 1} ($PnN)", name, "a name that no other channel has")
    order = ">" if big_endian else "<"
    top = table.max(axis=0, initial=1.0) if len(table) else np.ones(len(names))
    text = {
        "$BEGINANALYSIS": "0",
        "$ENDANALYSIS": "0",
        "$BEGINSTEXT": "0",
        "$ENDSTEXT": "0",
        "$BEGINDATA": "0" * 15,
        "$ENDDATA": "0" * 15,
        "$BYTEORD": "4,3,2,1" if big_endian else "1,2,3,4",
        "$DATATYPE": "F",
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(len(names)),
        "$TOT": str(len(table)),
    }
    for i, name in enumerate(names, 1):
        limit = float(top[i - 1])
        text[f"$P{i}B"], text[f"$P{i}E"] = "32", "0,0"
        text[f"$P{i}N"], text[f"$P{i}R"] = name, str(int(np.ceil(limit)) + 1 if np.isfinite(limit) else 2**31)
        if markers is not None and str(markers[i - 1]).strip():
            text[f"$P{i}S"] = str(markers[i - 1]).strip()
    for key, value in (metadata or {}).items():
        content = "" if value is None else str(value).strip()
        if content and key.strip().upper() not in text:
            text[key.strip().upper()] = content
    header, body = _head(text, table.shape[0] * table.shape[1] * 4)
    with Path(path).open("wb") as f:
        f.write(header + body)
        for start in range(0, len(table), ROWS):
            f.write(np.ascontiguousarray(table[start : start + ROWS], dtype=f"{order}f4").data)


def _head(text: dict[str, str], data_bytes: int) -> tuple[bytes, bytes]:
    delimiter = next((d for d in DELIMITERS if not any(d in t for kv in text.items() for t in kv)), "\x0c")
    safe = [(k.replace(delimiter, delimiter * 2), v.replace(delimiter, delimiter * 2)) for k, v in text.items()]
    length = len(_body(safe, delimiter))
    begin = TEXT_BEGIN + length
    end = begin + data_bytes - 1
    place = {"$BEGINDATA": f"{begin:015d}", "$ENDDATA": f"{max(end, 0):015d}"}
    body = _body([(k, place.get(k, v)) for k, v in safe], delimiter)
    shown = (begin, end) if data_bytes and end <= HEADER_LIMIT else (0, 0)
    offsets = (TEXT_BEGIN, begin - 1, *shown, 0, 0)
    return b"FCS3.1    " + b"".join(f"{o:>8d}".encode() for o in offsets), body


def _body(pairs: list[tuple[str, str]], delimiter: str) -> bytes:
    return (delimiter + "".join(f"{k}{delimiter}{v}{delimiter}" for k, v in pairs)).encode()
