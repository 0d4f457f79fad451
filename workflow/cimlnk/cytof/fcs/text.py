"""HEADER and TEXT of an FCS file (versions 2.0, 3.0, 3.1, 3.2), read tolerantly and told about.

The layout is that of the Data File Standard for Flow Cytometry (Spidlen 2010, doi:10.1002/cyto.a.20825). Instruments
and export programs break it in well-known ways; each accepted departure is named in the notes of the header, each
other one ends in a :class:`UserError`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from cimlnk.common.errors import Plain, UserError

VERSIONS = ("FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2")
HEADER_BYTES = 58
MAX_TEXT = 64 << 20  # no instrument writes more; a larger number is a damaged offset
MAX_PARAMETERS = 10_000
MAX_DOUBLED = 100_000  # more doubled delimiters than this are damage, not keywords
REQUIRED = ("$PAR", "$DATATYPE", "$BYTEORD")


@dataclass
class Segments:
    """Where things lie: version, TEXT keywords (upper case), the HEADER's DATA offsets, file size, notes."""

    path: Path
    version: str
    text: dict[str, str]
    data: tuple[int, int]
    size: int
    notes: list[str] = field(default_factory=list)

    def integer(self, keyword: str, default: int | None = None) -> int:
        """The whole number of a keyword, or `default` if it is absent or blank.

        Raises
        ------
        UserError
            If it is absent without a default, or is no whole number.
        """
        raw = self.text.get(keyword, "").strip()
        if not raw and default is not None:
            return default
        if not re.fullmatch(r"[+-]?\d{1,18}(\.0*)?", raw):
            raise UserError(self.path, f"TEXT keyword {keyword}", raw or Plain("nothing"), "a whole number")
        return int(raw.split(".")[0])


def read_segments(path: str | Path) -> Segments:
    """Read HEADER and TEXT of the first data set of a file.

    Parameters
    ----------
    path
        An FCS file. Only HEADER and TEXT are read, so this is cheap for a file of any size.

    Raises
    ------
    UserError
        If the file is absent, no FCS file, or its HEADER or TEXT cannot be understood.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise UserError(path, "file", Plain("no such file"), "an FCS file")
        with path.open("rb") as f:
            return _read(path, f, os.fstat(f.fileno()).st_size)
    except OSError as e:
        raise UserError(path, "file", Plain(e.strerror or str(e)), "a readable FCS file") from e


def _read(path: Path, f: BinaryIO, size: int) -> Segments:
    header = f.read(HEADER_BYTES)
    if not header:
        raise UserError(path, "file", Plain("an empty file"), "an FCS file")
    version = header[:6].decode("latin-1")
    if version not in VERSIONS:
        raise UserError(path, "HEADER, bytes 0-5", version, f"one of {', '.join(VERSIONS)}")
    if len(header) < HEADER_BYTES:
        raise UserError(path, "HEADER", Plain(f"{size} bytes"), f"at least {HEADER_BYTES} bytes")
    names = ("TEXT begin", "TEXT end", "DATA begin", "DATA end")
    begin, end, data_begin, data_end = (
        _offset(path, name, header[10 + 8 * i : 18 + 8 * i]) for i, name in enumerate(names)
    )
    notes: list[str] = []
    body = _slice(path, f, size, begin=begin, end=end, what="TEXT")
    text = parse_text(path, body, notes)
    segments = Segments(path, version, text, (data_begin, data_end), size, notes)
    for keyword in REQUIRED:
        if keyword not in text:
            raise UserError(path, "TEXT", Plain("no " + keyword), f"the keyword {keyword}")
    _supplement(segments, f, body[:1], primary=(begin, end))
    if segments.integer("$NEXTDATA", 0) > 0:
        notes.append("the file has several data sets; the first is read")
    return segments


def _offset(path: Path, name: str, raw: bytes) -> int:
    digits = raw.replace(b"\0", b" ").strip()
    if not digits:
        return 0
    # written by the rules of C's printf: no underscores, no Unicode digits
    if not re.fullmatch(rb"\+?\d+", digits):
        raise UserError(path, f"HEADER, {name} offset", raw.decode("latin-1"), "a byte offset (digits)")
    return int(digits)


def _slice(path: Path, f: BinaryIO, size: int, *, begin: int, end: int, what: str) -> bytes:
    if not (HEADER_BYTES <= begin < end <= size) or end - begin > MAX_TEXT:
        found = Plain(f"bytes {begin} to {end} in a file of {size} bytes")
        raise UserError(path, f"{what} segment", found, f"offsets between {HEADER_BYTES} and the end of the file")
    f.seek(begin)
    return f.read(end - begin + 1)


def parse_text(path: Path, body: bytes, notes: list[str]) -> dict[str, str]:
    """Keywords of a TEXT segment; names in upper case, values stripped of blanks and NUL.

    The first byte is the delimiter. A doubled delimiter stands for one inside a value (the standard), but many
    writers mean an empty value by it (which the standard forbids), some of them in the same file. Three readings are
    made (all escaped, each by what fits at its place, all empty) and the first of those that leave the fewest broken
    keywords is kept.
    """
    delimiter = body[:1]
    if delimiter.isalnum() or not delimiter:
        found = delimiter.decode("latin-1")
        raise UserError(path, "TEXT, first byte (the delimiter)", found, "a character that is no letter or digit")
    content = body[1:].rstrip(b" \t\r\n\0") if delimiter not in (b" ", b"\t", b"\r", b"\n", b"\0") else body[1:]
    # the end offset may be one short or one long: cut behind the last delimiter, keep a last value without one
    if content.endswith(delimiter):
        content = content[:-1]
    plain = content.split(delimiter)
    if delimiter * 2 in body:
        readings = {"": _join_doubled(plain, delimiter)}
        if body.count(delimiter * 2) <= MAX_DOUBLED:
            readings["some doubled delimiters"] = _join_where_it_fits(plain, delimiter)
        readings["doubled delimiters"] = plain
        which = min(readings, key=lambda name: _faults(readings[name], delimiter))
        plain = readings[which]
        if which:
            notes.append(f"empty keyword values in TEXT ({which} read as empty values)")
    if len(plain) < 2:
        raise UserError(path, "TEXT", Plain("no keywords"), f"keyword-value pairs separated by {delimiter!r}")
    text: dict[str, str] = {}
    for key, value in zip(plain[::2], plain[1::2], strict=False):
        name = decode(key).upper()
        if name and name not in text:  # of a repeated keyword the first counts
            text[name] = decode(value)
    return text


def decode(raw: bytes) -> str:
    """UTF-8 if it is (FCS 3.1), else Latin-1 (older instruments), without surrounding blanks, and without NUL."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    return text.replace("\0", "").strip(" \t\r\n")  # HDF5, which names go to, ends a text there


def _join_doubled(tokens: list[bytes], delimiter: bytes) -> list[bytes]:
    joined = tokens[:1]
    i = 1
    while i < len(tokens):
        if not tokens[i] and i + 1 < len(tokens):
            joined[-1] += delimiter + tokens[i + 1]
            i += 2
        else:
            joined.append(tokens[i])
            i += 1
    return joined


def _join_where_it_fits(pieces: list[bytes], delimiter: bytes) -> list[bytes]:
    """Tokens by the cheapest reading of every doubled delimiter: part of a value, or an empty value.

    The path of least cost over the pieces (Viterbi): a keyword that is empty or holds a delimiter, and a value that
    holds the next standard keyword, cost 5; an empty value, which the standard forbids, costs 1.
    """
    n = len(pieces)
    standard = [bool(re.match(rb"\$[A-Z]", piece)) for piece in pieces]
    infinite = float("inf")
    # the state before a piece: is it part of a keyword (0) or a value (1), and does it go on with a token (joined)
    cost = [[infinite] * 4 for _ in range(n + 1)]
    back: list[list[tuple[int, int]]] = [[(0, 0)] * 4 for _ in range(n + 1)]
    cost[0][0] = 0.0
    for i, piece in enumerate(pieces):
        for state, so_far in enumerate(cost[i]):
            if so_far == infinite:
                continue
            value, joined = state % 2, state // 2
            here = so_far + (5.0 if (value and standard[i]) or (not value and joined) else 0.0)
            end = here + ((1.0 if value else 5.0) if not piece and not joined else 0.0)
            if end < cost[i + 1][1 - value]:
                cost[i + 1][1 - value], back[i + 1][1 - value] = end, (i, state)
            if i + 2 < n and not pieces[i + 1] and here < cost[i + 2][2 + value]:
                cost[i + 2][2 + value], back[i + 2][2 + value] = here, (i, state)
    at, state = n, min((0, 1), key=lambda s: cost[n][s] + s)
    tokens: list[bytes] = []
    rest: list[bytes] = []
    while at:
        at, state = back[at][state]
        rest.append(pieces[at])
        if state < 2:
            tokens.append(delimiter.join(reversed(rest)))
            rest = []
    return tokens[::-1]


def _faults(tokens: list[bytes], delimiter: bytes) -> int:
    keys = [k.strip().upper() for k in tokens[::2]]
    bad = sum(1 for k in keys if not k or delimiter in k)
    missing = sum(1 for k in REQUIRED if k.encode() not in keys)
    misplaced = sum(1 for v in tokens[1::2] if v[:1] == b"$" or delimiter + b"$" in v)
    return bad + misplaced + 100 * missing + len(tokens) % 2


def _supplement(segments: Segments, f: BinaryIO, delimiter: bytes, *, primary: tuple[int, int]) -> None:
    """Add the keywords of a supplemental TEXT segment; the primary segment wins where both have one."""
    span = []
    for keyword in ("$BEGINSTEXT", "$ENDSTEXT"):
        raw = segments.text.get(keyword, "").strip()
        span.append(int(raw) if re.fullmatch(r"\d{1,18}", raw) else 0)
    begin, end = span
    if begin == 0 or end <= begin or (begin, end) == primary:
        return
    if begin < HEADER_BYTES or end > segments.size or end - begin > MAX_TEXT:
        segments.notes.append(f"supplemental TEXT at bytes {begin} to {end} lies outside the file and is not read")
        return
    f.seek(begin)
    body = f.read(end - begin + 1)
    if not body.startswith(delimiter):
        body = delimiter + body
    if body.strip(delimiter + b" \r\n\0"):
        for key, value in parse_text(segments.path, body, segments.notes).items():
            segments.text.setdefault(key, value)
