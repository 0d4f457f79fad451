"""Words of sentences that hold a number."""

from __future__ import annotations


def many(n: int, what: str) -> str:
    """A number and its noun: one of it is not plural.

    Examples
    --------
    >>> many(1, "patient"), many(1200, "file")
    ('1 patient', '1,200 files')
    """
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
