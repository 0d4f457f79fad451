"""An FCS 3.1 writer for the generator: header, TEXT, float32 DATA, in either byte order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

HEADER = 256  # bytes before TEXT; the six offsets take 58, the rest is blank


def write_fcs(
    path: str | Path,
    events: np.ndarray,
    names: Sequence[str],
    *,
    long_names: Sequence[str],
    big_endian: bool = False,
    keywords: Mapping[str, str] | None = None,
    largest: int | None = None,
) -> None:
    """Write `events` (n × channels) as FCS 3.1, mode L, 32-bit floats.

    Parameters
    ----------
    names, long_names
        ``$PnN`` and ``$PnS`` of every channel.
    keywords
        Further TEXT keywords; a ``|`` in a value is doubled, as the standard asks of the delimiter.
    largest
        ``$PnR`` of all channels; by default each one's own largest value.
    """
    n, d = events.shape
    if len(names) != d or len(long_names) != d:
        raise ValueError(f"{d} channels but {len(names)} names and {len(long_names)} long names")
    data = np.ascontiguousarray(events, dtype=">f4" if big_endian else "<f4")
    ranges = np.ceil(data.max(axis=0, initial=1.0)).astype(np.int64) + 1
    if largest is not None:
        ranges[:] = largest
    words: dict[str, str] = {
        "$BYTEORD": "4,3,2,1" if big_endian else "1,2,3,4",
        "$DATATYPE": "F",
        "$MODE": "L",
        "$NEXTDATA": "0",
        "$PAR": str(d),
        "$TOT": str(n),
        "$BEGINANALYSIS": "0",
        "$ENDANALYSIS": "0",
        "$BEGINSTEXT": "0",
        "$ENDSTEXT": "0",
        **(keywords or {}),
    }
    for i, (name, long_name, end) in enumerate(zip(names, long_names, ranges, strict=True), start=1):
        words |= {f"$P{i}B": "32", f"$P{i}E": "0,0", f"$P{i}N": name, f"$P{i}R": str(end)}
        if long_name:
            words[f"$P{i}S"] = long_name
    text = "|" + "".join(f"{k}|{v.replace('|', '||')}|" for k, v in words.items())
    # The data offsets stand in TEXT as fixed-width numbers, so that its length does not depend on them.
    tail = "$BEGINDATA|{:012d}|$ENDDATA|{:012d}|"
    begin = HEADER + len(text.encode()) + len(tail.format(0, 0))
    last = begin + data.nbytes - 1 if data.nbytes else begin
    body = (text + tail.format(begin, last)).encode()
    shown = (begin, last) if last <= 99_999_999 else (0, 0)
    header = "FCS3.1    " + "".join(f"{v:>8d}" for v in (HEADER, begin - 1, *shown, 0, 0))
    with Path(path).open("wb") as file:
        file.write(header.encode().ljust(HEADER))
        file.write(body)
        data.tofile(file)
