"""Names that people take for one and a program for two: letters of another script, dashes, zeros in front."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable
from typing import Any

import pandas as pd

from .read import LINE

COLUMNS = ("patient", "sample", "batch", "timepoint")
# Greek and Cyrillic letters that look like Latin ones, either in upper or in lower case.
_SCRIPTS = str.maketrans("αβεζηικμνορτυχγσавекмнорстухіјѕ", "abezhikmnoptyxysabekmhopctyxijs")
_GLYPHS = str.maketrans("oil", "011")


def _plain(name: str) -> str:
    """`name` without case, accents, invisible characters, script and kind of separator."""
    letters = unicodedata.normalize("NFKD", name).casefold()
    kept = "".join(c for c in letters if unicodedata.category(c) not in ("Mn", "Cf", "Cc"))
    return re.sub(r"[\s_.·‐-―−-]+", "-", kept.strip().translate(_SCRIPTS))


def looks(name: str) -> tuple[str, str]:
    """What is left of a name once what is easily mistaken is taken away, in two ways: names are alike that share one.

    Examples
    --------
    >>> looks("P_07")[0] == looks("Ρ-7")[0], looks("PO1")[1] == looks("P01")[1], looks("P11") == looks("P1-1")
    (True, True, False)
    """
    plain = _plain(name)
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain), plain.translate(_GLYPHS)


def alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names that look alike, each name with the first one that it looks like."""
    seen: dict[Hashable, str] = {}
    pairs = []
    for name in dict.fromkeys(names):
        keys = list(enumerate(looks(name)))
        other = next((seen[key] for key in keys if key in seen), None)
        if other is not None:
            pairs.append((other, name))
        for key in keys:
            seen.setdefault(key, name)
    return pairs


def alike_names(samples: pd.DataFrame, file: str) -> list[str]:
    """One sentence for each column of the sample sheet with names that look alike but count as different."""
    told = []
    for column in COLUMNS:
        rows = samples.dropna(subset=[column]).drop_duplicates(column)
        lines: dict[Any, Any] = dict(zip(rows[column], rows[LINE], strict=True))
        pairs = [p for p in alike(map(str, lines)) if p[0].casefold() != p[1].casefold()]  # case is an error elsewhere
        if pairs:
            words = [f"{_shown(a)} in row {lines[a]} and {_shown(b)} in row {lines[b]}" for a, b in pairs[:3]]
            more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
            told.append(f"{file}: column {column}: names that look alike count as different: {'; '.join(words)}{more}")
    return told


def _shown(name: str) -> str:
    """The name in quotes, and which of its characters are not of the keyboard's own."""
    odd = dict.fromkeys(c for c in name if not c.isascii())
    words = ", ".join(unicodedata.name(c, f"U+{ord(c):04X}").lower() for c in odd)
    return f"{name!r} ({words})" if words else repr(name)
