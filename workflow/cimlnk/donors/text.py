"""Text of a user's file, gzipped or not; what keeps it from being read is reported in one line."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.sheet import decode, read_bytes

LARGEST = 4 << 30  # bytes, of a file as it lies on disk


def read_text(path: str | Path, file: str) -> str:
    """The whole text of a file with ``\\n`` line ends.

    Raises
    ------
    UserError
        If it cannot be read, is empty, is cut off within its gzip stream, or is no text.
    """
    data = read_bytes(path, file, LARGEST)
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise UserError(file, "content", Plain(f"a broken gzip file ({error})"), "a whole file") from None
    text = decode(data, file)
    if not text.strip():
        raise UserError(file, "content", Plain("an empty file"), "a table")
    return text
