"""Barcodes of two files put beside each other: with and without the number that a library was given."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, UserError

SUFFIX = re.compile(r"[-_]\d+$")


def same_barcodes(wanted: Sequence[str], have: Sequence[str], file: str, *, of: str) -> np.ndarray:
    """Row of `have` for every barcode of `wanted`, -1 where there is none.

    Barcodes are taken as they are; if not one is found that way, without the number behind the last ``-`` (``-1``),
    which programs add, drop and count up, provided that they stay unique.

    Parameters
    ----------
    wanted, have
        Barcodes of a sample's cells, and of the file.
    file, of
        The file and what `wanted` are, for the message.

    Raises
    ------
    UserError
        If none of the barcodes is in the file: it is another sample's.
    """
    if not len(wanted):
        return np.array([], dtype=np.int64)
    rows = pd.Index(list(have)).get_indexer(list(wanted))
    if (rows < 0).all():
        a, b = (pd.Index([SUFFIX.sub("", str(v)) for v in values]) for values in (wanted, have))
        if a.is_unique and b.is_unique:
            rows = b.get_indexer(a)
    if (rows < 0).all():
        found = f"{have[0]} …, none of the {len(wanted):,} barcodes" if len(have) else "no barcodes"
        raise UserError(file, "barcodes", Plain(found), f"those of {of}, as {wanted[0]}: is it this sample's file?")
    return rows
