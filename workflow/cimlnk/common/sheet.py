"""One reader for every sheet people bring: text as Excel, R and pandas save it, as rows of clean cells.

Sample sheets, counts, patients, panels, barcode keys, spillover matrices and overrides all come through
:func:`read_cells`; what a column means is each sheet's own affair.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from .errors import Plain, UserError
from .workbook import MAGIC as WORKBOOKS
from .workbook import Rows, read_workbook

DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon"}
# str.strip() leaves these, and spreadsheets and PDF copies bring them along.
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
MISSING = {"", "na", "n/a", "nan", "null", "none", "#n/a"}
MINUS = "\N{MINUS SIGN}"  # spreadsheets turn a typed hyphen into it
LARGEST = 64 << 20  # bytes; a sheet of ten thousand samples has two million
# A comment above the header that says what of the sheet is a guess: "# ? patient: from the file name".
MARK = re.compile(r"#[ \u00a0]*\?[ \u00a0]*([^\s,;].*)")


@dataclass(frozen=True)
class Cells:
    """The cells of a sheet.

    Attributes
    ----------
    file
        Name of the sheet for messages.
    rows
        Line number in a spreadsheet (from 1) and cells, without empty rows; the first one is the header.
    separator
        ``tab``, ``comma``, ``semicolon`` or another character.
    comments
        The lines above the header that begin with ``#``.
    """

    file: str
    rows: list[tuple[int, list[str]]]
    separator: str
    comments: list[str] = field(default_factory=list)

    @property
    def decimal_comma(self) -> bool:
        """Whether a comma in a number is its decimal sign: Excel separates by semicolons where it is."""
        return self.separator == "semicolon"


def read_cells(path: str | Path, file: str | None = None, known: Collection[str] = ()) -> Cells:
    """Read a TSV or CSV file, or a tab of a workbook (xlsx, xls, ods); every cell is text.

    UTF-8 with or without BOM, UTF-16, or Windows-1252; any line ends; tab, comma or semicolon, or as a first line
    ``sep=;`` says. Outer blanks (non-breaking ones too) are cut off, letters composed (é as one character), empty rows
    and columns left out. Lines that begin with ``#`` above the header are comments, also with the quotes and separators
    that a spreadsheet saves them with; below it they are rows like any other, for ``#REF!`` in a first cell must not
    make a sample vanish. A header may begin with ``#`` itself. Of a workbook the tab is read whose header holds the
    most known columns, so that one file may hold all sheets.

    Parameters
    ----------
    path
        The file.
    file
        Its name in messages, `path` by default.
    known
        Column names the caller knows: they decide the separator, and whether a line with ``#`` is the header.

    Raises
    ------
    UserError
        If there is no such file, it cannot be opened, is too large, or is neither text nor a workbook; if two tabs of
        a workbook hold the known columns alike.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".csv") as sheet:
    ...     _ = sheet.write("sep=;\\n\\ufeff# run 3\\nday;share\\n7;0,5\\n;\\n".encode())
    ...     sheet.flush()
    ...     read_cells(sheet.name, "a.csv").rows
    [(3, ['day', 'share']), (4, ['7', '0,5'])]
    """
    shown = str(path) if file is None else file
    data = read_bytes(path, shown, LARGEST)
    names = {clean(k) for k in known}
    if data[:4] in WORKBOOKS:
        rows, comments = _tab(read_workbook(data, shown), names, shown)
        return Cells(shown, _without_empty_columns(rows), "cells", comments)
    rows, separator, comments = _text_rows(decode(data, shown), names, shown)
    return Cells(shown, _without_empty_columns(rows), separator, comments)


def read_bytes(path: str | Path, file: str, largest: int) -> bytes:
    """The bytes of a small file of the user's; what keeps it from being read is reported in one line."""
    try:
        path = Path(path)
        if path.is_dir():
            raise UserError(file, "the file", Plain("a folder"), "a file")
        size = path.stat().st_size
        if size > largest:
            raise UserError(file, "the file", Plain(f"{size:,} bytes"), f"at most {largest:,} bytes: is this the file?")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        words = getattr(error, "strerror", None) or str(error)
        raise UserError(file, "the file", Plain(words), "a file that can be read") from None


def decode(data: bytes, file: str) -> str:
    """Text of a sheet with ``\\n`` line ends: UTF-8, UTF-16 (by its BOM, or by its zeros), else Windows-1252."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    elif (little := _utf16_order(data)) is not None:
        text = data.decode("utf-16-le" if little else "utf-16-be", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            # five bytes mean nothing in Windows-1252; Latin-1 takes them, and they are reported as odd characters later
            text = data.decode("cp1252" if not set(data) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "latin-1")
    if "\x00" in text:
        raise UserError(file, "content", Plain("binary data"), "a text file (TSV or CSV)")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def clean(cell: str) -> str:
    """A cell without outer blanks and invisible characters, letters composed (é as one character)."""
    return unicodedata.normalize("NFC", cell).strip().strip(INVISIBLE).strip()


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value (empty, NA, NaN, null, …)."""
    return cell.lower() in MISSING


def number(cell: str, decimal_comma: bool = False) -> float | None:
    """A cell as a finite number, None if it is none; with `decimal_comma` 0,5 is a half."""
    text = cell.replace(MINUS, "-")
    if decimal_comma and re.fullmatch(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]{1,3})?", text):
        text = text.replace(",", ".")
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text):
        return None
    value = float(text)
    return value if abs(value) != float("inf") else None


def read_two_ways(cells: Collection[str], *, semicolons: bool) -> dict[str, str]:
    """Numbers whose comma or point may part thousands or decimals, with the decimal sign the other cells speak for.

    ``1.491`` is one such where another number of the sheet has a comma (``369,5``), and in a sheet separated by
    semicolons, which programs write where the comma is the decimal sign, unless another point there parts decimals;
    ``1,491`` is one where another number has a point. Read wrongly it is a thousandfold off.
    """
    signs = {c: m[1] for c in cells if (m := re.fullmatch(r"[+-]?[0-9]*([.,])[0-9]+", c))}
    like = {c for c in signs if re.fullmatch(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}", c)}
    certain = {sign for c, sign in signs.items() if c not in like}
    commas = "," in signs.values() or (semicolons and "." not in certain)
    points = "." in signs.values()
    other = {".": "comma" if commas else "", ",": "point" if points else ""}
    return {c: other[signs[c]] for c in sorted(like) if other[signs[c]]}


def _utf16_order(data: bytes) -> bool | None:
    """Whether bytes without BOM are little-endian UTF-16 of mostly Latin letters; None if they are no UTF-16."""
    head = data[:2000]
    if len(head) < 8 or len(data) % 2:
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.6 * len(head) / 2 and even == 0:
        return True
    return False if even > 0.6 * len(head) / 2 and odd == 0 else None


def _text_rows(text: str, known: set[str], file: str) -> tuple[Rows, str, list[str]]:
    lines = text.split("\n")
    comments: list[str] = []
    delimiter: str | None = None
    start = 0
    for start, line in enumerate(lines):
        bare = line.strip().lstrip(INVISIBLE)
        said = re.fullmatch(r'"?sep=(.)"?[\t,;]*', bare if line.strip() else "", re.IGNORECASE)
        if said is None and re.fullmatch(r'"?sep=\t?"?', line.strip(" \ufeff"), re.IGNORECASE):
            delimiter = "\t"
        elif said is not None:
            delimiter = said[1]
        elif comment := _comment(bare, known):
            comments.append(comment)
        elif bare.startswith("#"):  # before the header's first name
            lines[start] = bare.lstrip("# ")
            break
        elif bare.strip("\t,; "):
            break
    else:
        return [], "tab", comments
    if delimiter is None:
        delimiter = _delimiter(lines[start], known)
    try:
        reader = csv.reader(io.StringIO("\n".join(lines[start:]), newline="\n"), delimiter=delimiter, strict=False)
        rows, line_number = [], start + 1
        for cells in reader:
            rows.append((line_number, [clean(c) for c in cells]))
            line_number = start + reader.line_num + 1
    except csv.Error as error:
        raise UserError(file, f"row {line_number}", Plain(str(error)), "cells of a sheet") from None
    return [(n, cells) for n, cells in rows if any(cells)], DELIMITERS.get(delimiter, repr(delimiter)), comments


def _comment(line: str, known: set[str]) -> str:
    """The words of a comment above the header; "" for anything else.

    A spreadsheet quotes a comment with commas in it, and fills its line with separators to the width of the sheet.
    """
    if line.startswith('"#'):
        words, *others = max((_cells_of(line, d) for d in DELIMITERS), key=len) or [""]
        return words if line.count('"') % 2 == 0 and not any(others) else ""
    if not line.startswith("#"):
        return ""
    words = line.rstrip("\t,; ")
    header = MARK.match(line) is None and _known_cells(line.lstrip("# "), known) >= 2
    return "" if header else words


def _tab(tabs: dict[str, Rows], known: set[str], file: str) -> tuple[Rows, list[str]]:
    """The rows of the tab that is meant, from its header on, cells cleaned, and the comments above them."""
    found: dict[str, Rows] = {}
    comments: dict[str, list[str]] = {}
    for name, rows in tabs.items():
        cleaned = [(n, [clean(c) for c in cells]) for n, cells in rows]
        start = 0
        for start, (_, cells) in enumerate(cleaned):
            bare = cells[0].lstrip("# ")
            if cells[0].startswith("#") and sum(c in known for c in [bare, *cells[1:]]) >= 2:
                cleaned[start][1][0] = bare
                break
            if not cells[0].startswith("#"):
                break
        found[name] = cleaned[start:]
        comments[name] = [cells[0] for _, cells in cleaned[:start]]
    if not found:
        return [], []
    score = {name: sum(c in known for c in rows[0][1]) for name, rows in found.items()}
    best = [name for name, s in score.items() if s == max(score.values())]
    if len(best) > 1 and score[best[0]]:
        words = " and ".join(repr(b) for b in best)
        raise UserError(file, "tabs", Plain(f"{words}, with the same columns"), "one tab with them, or a file for each")
    return found[best[0]], comments[best[0]]


def _cells_of(line: str, delimiter: str) -> list[str]:
    try:
        return [clean(c) for c in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _known_cells(line: str, known: set[str]) -> int:
    return max(sum(c in known for c in _cells_of(line, d)) for d in DELIMITERS)


def _delimiter(header: str, known: set[str]) -> str:
    """The separator under which the header shows the most known columns, then the most columns."""

    def score(delimiter: str) -> tuple[int, int]:
        cells = _cells_of(header, delimiter)
        return sum(c in known for c in cells), len(cells)

    return max(DELIMITERS, key=score)


def _without_empty_columns(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Rows without the columns behind the last one that holds anything (spreadsheets export cells once touched)."""
    if not rows:
        return rows
    header = rows[0][1]
    width = len(header)
    while width and header[width - 1] == "" and not any(any(cells[width - 1 :]) for _, cells in rows):
        width -= 1
    return [(n, cells[:width] if not any(cells[width:]) else cells) for n, cells in rows]
