"""The single cuts of a gating hierarchy for one panel, and which values a cut keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.panel import Channel, Matched

from .spec import IDENTITY, Node

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Cut:
    """One threshold on one channel (or on the weakest of several, `not_all_above`)."""

    gate: str
    node: str
    channels: tuple[Channel, ...]
    side: str
    spec: Node
    part: str = ""  # low or high of a two-sided gate


def lay_out(nodes: Sequence[Node], matched: Matched, identity: str) -> tuple[list[Cut], dict[str, str]]:
    """The single cuts of a hierarchy for one panel, and the nodes skipped with the reason."""
    cuts: list[Cut] = []
    skipped: dict[str, str] = {}
    for node in nodes:
        channels = node.channels(matched, identity)
        if not channels:
            what = f"role {node.role}" if node.role else " or ".join(node.markers).replace(IDENTITY, identity)
            skipped[node.node] = f"the panel has no channel of {what}"
            continue
        if node.keep == "not_all_above":
            parts = [(tuple(channels), "not_all_above", "")]
        elif node.keep in ("singlets", "within"):
            parts = [((c,), side, part) for c in channels for side, part in (("above", "low"), ("below", "high"))]
        else:
            parts = [((c,), node.keep, "") for c in channels]
        for i, (used, side, part) in enumerate(parts):
            last = i == len(parts) - 1
            label = f"{'+'.join(c.marker for c in used)}{' ' + part if part else ''}"
            cuts.append(Cut(node.node if last else f"{node.node} ({label})", node.node, used, side, node, part))
    return cuts, skipped


def signal(scaled: NDArray[np.floating], cut: Cut, rows: Bools | slice = slice(None)) -> NDArray[np.floating]:
    """The values a cut looks at: one column, or the least of several."""
    values = scaled[rows, cut.channels[0].column]
    for channel in cut.channels[1:]:
        values = np.minimum(values, scaled[rows, channel.column])
    return values


def passes(values: NDArray[np.floating], cut: Cut, threshold: float) -> Bools:
    """Which values a cut keeps; a missing threshold keeps all."""
    if not np.isfinite(threshold):
        return np.ones(len(values), bool)
    return values >= threshold if cut.side == "above" else values < threshold
