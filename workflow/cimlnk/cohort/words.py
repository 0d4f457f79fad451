"""Small words for plain sentences."""

from __future__ import annotations

from collections.abc import Sequence


def count(n: int, noun: str) -> str:
    """``1 batch``, ``2 batches``, ``3 days``."""
    if n == 1:
        return f"1 {noun}"
    return f"{n} {noun}{'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """``a, b and c``; of more than `most` names the first ones and how many there are."""
    names = [str(n) for n in names]
    if len(names) > most:
        return f"{', '.join(names[:most])}, … ({len(names)} in all)"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1] if names else ""]))
