"""What antibody-derived tags are called, and which of them are no proteins of the cell: isotype controls, hashtags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from cimlnk.common.markers import read_name

PROTEIN, ISOTYPE, HASHTAG = "protein", "isotype", "hashtag"
# TotalSeq conjugates, "ADT", "PROT" and "TSB" behind the name; the barcode's sequence or its number too
BEHIND = re.compile(
    r"[\s_.-]*(TotalSeq[\s_-]?[ABCD]?|TS[ABCD]|ADT|AB|PROT|protein|pAb|[ACGT]{10,}|[ABCD]\d{4})$", re.IGNORECASE
)
BEFORE = re.compile(r"^(ADT|AB|PROT|TotalSeq[\s_-]?[ABCD]?|anti[\s_-]*(human|hu|mouse(?![\s_-]*Ig))?)[\s_.:-]+", re.I)
IS_ISOTYPE = re.compile(
    r"isotype|(^|[^a-z])iso(ctrl|control|type)?([^a-z]|$)|^(mouse|rat|hamster|rabbit|armenian hamster)[\s_-]*ig"
    r"|^(m|r|ms|ham)?[\s_-]?ig[gm]\d?[abc]?[\s_-]*(kappa|k|lambda|l|κ|λ)?[\s_-]*(control|ctrl|ctl)",
    re.IGNORECASE,
)
IS_HASHTAG = re.compile(r"hash[\s_-]*tag|(^|[^a-z])hto([^a-z]|$)|^multiseq|^cmo\d+", re.IGNORECASE)


class Antibody(NamedTuple):
    """One antibody-derived tag.

    Attributes
    ----------
    name
        As the file calls it.
    label
        What it is called here: the marker of the alias table, else the name without the tag's own suffixes.
    kind
        ``protein``, ``isotype`` (binds nothing: what sticks unspecifically) or ``hashtag`` (says whose cell it is).
    known
        Whether `label` is a marker of the alias table.
    """

    name: str
    label: str
    kind: str
    known: bool


def read_antibody(name: str) -> Antibody:
    """Understand one antibody's name.

    Examples
    --------
    >>> read_antibody("CD56_TotalSeqB").label, read_antibody("ADT_CD335").label, read_antibody("CD3-UCHT1-TSA").label
    ('CD56', 'NKp46', 'CD3')
    >>> read_antibody("IgG1_control_TotalSeqB").kind, read_antibody("Hashtag_3").kind, read_antibody("IgM").kind
    ('isotype', 'hashtag', 'protein')
    """
    short = name.strip()
    for _ in range(3):
        rest = BEHIND.sub("", BEFORE.sub("", short)).strip(" _.-")
        if not rest or rest == short:
            break
        short = rest
    if IS_HASHTAG.search(name):
        return Antibody(name, short, HASHTAG, False)
    if IS_ISOTYPE.search(short) or IS_ISOTYPE.search(name):
        return Antibody(name, short, ISOTYPE, False)
    reading = read_name(short)
    return Antibody(name, reading.marker or short, PROTEIN, reading.marker is not None)


def read_antibodies(names: Sequence[str]) -> list[Antibody]:
    """Understand all antibodies of one file, each label once.

    Two antibodies of one marker (two clones) are both kept: the second is called by its own name, since adding their
    counts would mix two backgrounds.
    """
    out: list[Antibody] = []
    taken: set[str] = set()
    for one in map(read_antibody, names):
        label, i = one.label, 1
        if label in taken:
            label, known = one.name, False
            while label in taken:
                i += 1
                label = f"{one.name} ({i})"
            one = one._replace(label=label, known=known)
        taken.add(label)
        out.append(one)
    return out
