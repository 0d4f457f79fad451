"""FCS files byte by byte, so that the reader is not tried on what our own writer makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def build(
    keywords: dict[str, str],
    data: bytes,
    delimiter: str = "/",
    *,
    version: str = "FCS3.0",
    header_data: tuple[int, int] | None = None,
    tail: bytes = b"",
    text_tail: str = "",
) -> bytes:
    """An FCS file from its parts; $BEGINDATA/$ENDDATA are filled in where the keywords ask for it by ``@``."""

    def body(begin: int, end: int) -> bytes:
        values = {"@begin": f"{begin:010d}", "@end": f"{end:010d}"}
        pairs = "".join(f"{k}{delimiter}{values.get(v, v)}{delimiter}" for k, v in keywords.items())
        return (delimiter + pairs + text_tail).encode("latin-1")

    begin = 58 + len(body(0, 0))
    end = begin + len(data) - 1
    shown = header_data if header_data is not None else (begin, end)
    offsets = (58, begin - 1, *shown, 0, 0)
    head = f"{version}    ".encode() + b"".join(f"{o:>8d}".encode() for o in offsets)
    return head + body(begin, end) + data + tail


def keywords(
    n: int, tot: int, kind: str = "F", *, bits: int = 32, order: str = "1,2,3,4", **more: str
) -> dict[str, str]:
    out = {"$BEGINDATA": "@begin", "$ENDDATA": "@end", "$BYTEORD": order, "$DATATYPE": kind, "$MODE": "L"}
    out |= {"$NEXTDATA": "0", "$PAR": str(n), "$TOT": str(tot)}
    for i in range(1, n + 1):
        out |= {f"$P{i}N": f"c{i}", f"$P{i}B": str(bits), f"$P{i}R": str(2 ** min(bits, 31)), f"$P{i}E": "0,0"}
    return out | {k.replace("_", "$", 1): v for k, v in more.items()}


def put(tmp_path: Path, raw: bytes) -> Path:
    path = tmp_path / "x.fcs"
    path.write_bytes(raw)
    return path


EVENTS = np.array([[1.5, -0.25], [3e5, 0.0], [7.125, 42.0]], dtype="f4")
