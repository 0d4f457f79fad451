"""Whether the search found fewer neighbours than it was asked for, by what ``graph.json`` says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ERRORS = 3  # standard errors of the measured recall by which it must be lower, so that it is no chance


def falls_short(graph: Mapping[str, Any]) -> bool:
    """Whether the measured recall is below the one asked for by more than chance.

    Parameters
    ----------
    graph
        ``graph.json``: ``recall``, ``recall_error`` (standard error) and ``recall_asked``; a record without the last
        asked for nothing.

    Examples
    --------
    >>> falls_short({"recall": 0.94, "recall_error": 0.002, "recall_asked": 0.95})
    True
    >>> falls_short({"recall": 0.945, "recall_error": 0.002, "recall_asked": 0.95})
    False
    """
    asked, error = float(graph.get("recall_asked") or 0), float(graph.get("recall_error") or 0)
    return float(graph["recall"]) + ERRORS * error < asked
