"""What a marker is called: one table of names and aliases for panels, sheets, definitions and messages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from .home import HOME

TABLE = HOME / "resources" / "markers.tsv"
# 173Yb_CD56, 89Y-CD45: the isotope before the name; CD56_Yb176, CD7(Yb176)Dd, CD3(110:114)Dd: behind it
BEFORE = re.compile(r"^\s*\d{2,3}[A-Z][a-z]?[_\s:-]+")
BEHIND = re.compile(r"[_\s-]*\(?\b(?:[A-Z][a-z]?\d{2,3}|\d{2,3}[A-Z][a-z]?|\d{2,3}:\d{2,3})\)?(?:D[id])?\s*$")
BEHIND_UNDERSCORE = re.compile(r"_(?:[A-Z][a-z]?\d{2,3}|\d{2,3}[A-Z][a-z]?)(?:D[id])?\s*$")


@dataclass(frozen=True)
class Marker:
    """One row of the table.

    Attributes
    ----------
    name
        The name used in sheets, definitions and results.
    aliases
        Other names, as people write them.
    role
        The usual role in a panel sheet.
    gene
        HGNC symbol, None where no single gene stands for the marker.
    """

    name: str
    aliases: tuple[str, ...]
    role: str
    gene: str | None


@dataclass(frozen=True)
class Reading:
    """What a name in a file or sheet was understood as.

    Attributes
    ----------
    name
        As it was written.
    marker
        The marker meant, None if unknown or ambiguous.
    candidates
        All markers named in it; two or more make it ambiguous (``CD235ab_CD61``: two antibodies in one channel).
    """

    name: str
    marker: str | None
    candidates: tuple[str, ...]


def plain(name: str) -> str:
    """A name's letters and digits in lower case, so that ``HLADR``, ``hla_dr`` and ``HLA-DR`` are one; γ is g."""
    return re.sub(r"[^a-z0-9]", "", name.lower().translate(str.maketrans("αβγδε", "abgde")))


def without_channel(name: str) -> str:
    """A name without the isotope of its channel: ``173Yb_CD56``, ``CD56_Yb173`` and ``CD56(Yb173)Dd`` give CD56."""
    short = BEFORE.sub("", name.strip())
    for pattern in (BEHIND_UNDERSCORE, BEHIND):
        rest = pattern.sub("", short)
        short = rest if plain(rest) else short
    return short.strip()


@cache
def markers() -> dict[str, Marker]:
    """The table by marker name, in its order."""
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    table = {}
    for line in rows[1:]:
        name, aliases, role, gene = (line.split("\t") + [""])[:4]
        split = tuple(a.strip() for a in re.split(r", (?=\S)", aliases) if a.strip())
        table[name] = Marker(name, split, role, gene.strip() or None)
    return table


@cache
def _names() -> dict[str, str]:
    """Letters and digits of every name and alias -> marker.

    Raises
    ------
    ValueError
        If two markers share an alias: the table is at fault, not the user.
    """
    found: dict[str, str] = {}
    for marker in markers().values():
        for name in (marker.name, *marker.aliases):
            if found.setdefault(plain(name), marker.name) != marker.name:
                raise ValueError(f"{TABLE.name}: {name!r} stands for {found[plain(name)]} and for {marker.name}")
    return found


def read_name(name: str) -> Reading:
    """Understand the name of a marker as written by people and instruments.

    The whole name is looked up first, then its parts (at ``_``, blanks, brackets, ``/``, ``|``, then at ``-`` too);
    a part that is no marker (a clone, a fluorochrome, a synonym the table lacks) is passed over. Two markers in one
    name are told as candidates, never chosen between.

    Examples
    --------
    >>> read_name("173Yb_CD56").marker, read_name("CD56 (NCAM)").marker, read_name("FcgRIII").marker
    ('CD56', 'CD56', 'CD16')
    >>> read_name("CD235ab_CD61").candidates
    ('CD235a', 'CD61')
    """
    names = _names()
    short = without_channel(name)
    for whole in (name, short):
        if plain(whole) in names:
            return Reading(name, names[plain(whole)], (names[plain(whole)],))
    for separators in (r"[_\s()\[\]/|;,:]+", r"[_\s()\[\]/|;,:.-]+"):
        parts = [p for p in re.split(separators, short) if plain(p)]
        hits = dict.fromkeys(names[plain(p)] for p in parts if plain(p) in names)
        if hits:
            return Reading(name, next(iter(hits)) if len(hits) == 1 else None, tuple(hits))
    return Reading(name, None, ())


def canonical(name: str) -> str | None:
    """The marker a name stands for, None if it is unknown or stands for two."""
    return read_name(name).marker


def usual_role(marker: str) -> str | None:
    """The role a marker usually has in a panel sheet; None for a marker that is not in the table."""
    found = markers().get(marker)
    return None if found is None else found.role


def gene(marker: str) -> str | None:
    """HGNC symbol of a marker; None where it is not in the table or no single gene stands for it."""
    found = markers().get(marker)
    return None if found is None else found.gene
