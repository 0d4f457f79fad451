"""Hierarchical gating of one sample with thresholds found in its own data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.common.errors import UserError
from cimlnk.cytof.panel import Channel, Matched
from cimlnk.cytof.tables import GATES

from .cuts import Bools, Cut, lay_out, passes, signal
from .density import Threshold
from .spec import IDENTITY, Node
from .thresholds import find

log = logging.getLogger("cimlnk.cytof")

LIVE = "live"  # node behind which only live single events are left

NAN = float("nan")


class Fit(Protocol):
    """Cuts that follow something known of the events, such as their lineages (:class:`.fit.LineageFit`)."""

    calls: bool

    def place(self, scaled: NDArray[np.floating], live: Bools) -> None: ...

    def threshold(self, scaled: NDArray[np.floating], cut: Cut) -> Threshold | None: ...


@dataclass
class Gated:
    """Result for one sample: GATES rows, events passing each node, each cut, and the range of the final count.

    `chosen` is what goes on as the sample's cells: the events of the last node, unless lineages decide.
    """

    rows: pd.DataFrame
    nodes: dict[str, Bools]
    cuts: list[tuple[Cut, Threshold]]
    skipped: dict[str, str]
    final: str
    n_low: float = NAN
    n_high: float = NAN
    thresholds: dict[str, Threshold] = field(default_factory=dict)
    channels: tuple[Channel, ...] = ()
    fit: Any = None

    @property
    def n_gates(self) -> float:
        """Events of the last node; NaN where the panel has no channel for it."""
        return NAN if self.final in self.skipped else float(self.nodes[self.final].sum())

    @property
    def by_lineage(self) -> bool:
        """Whether lineages decide which events go on."""
        return self.fit is not None and not self.fit.by_hand

    @property
    def chosen(self) -> Bools:
        members: Bools = self.fit.members if self.by_lineage else self.nodes[self.final]
        return members

    @property
    def lymphocytes(self) -> Bools:
        """The denominator of NK fractions, counted in the same way as the NK cells."""
        cells: Bools = self.fit.lymphocytes if self.by_lineage else self.nodes["lymphocytes"]
        return cells


def gate_events(
    scaled: NDArray[np.floating],
    matched: Matched,
    nodes: Sequence[Node],
    *,
    settings: Mapping[str, Any],
    sample: str,
    seed: int,
    pool: Mapping[str, Threshold] | None = None,
    start: Bools | None = None,
    fit: Fit | None = None,
) -> Gated:
    """Gate one sample.

    Parameters
    ----------
    scaled
        Events × columns of the file on the gating scale (arcsinh; length, time and Gaussian parameters as stored).
    matched
        The panel in this file; its columns refer to `scaled`.
    nodes
        From :func:`cimlnk.cytof.gating.spec.load_gates`.
    settings
        `nk_identity`, `minimum_events` and `bootstraps` of the config's section `cytof`.
    sample, seed
        Names the random stream of the bootstraps.
    pool
        Thresholds of the sample's batch by gate name, used where the sample has too few events or lacks a peak.
    start
        Events to begin with (those of good acquisition), all by default.
    fit
        Asked for the cuts of markers behind the node `live`, once that is reached; where it has no answer, and without
        it, a cut is found by the density of its channel.

    Returns
    -------
    Gated
        Every threshold with an interval; `n_low`/`n_high` move each threshold to both ends of its interval in turn and
        add the changes of the final count in quadrature, as the thresholds are found independently.

    Raises
    ------
    UserError
        If the panel has no channel for the last node, and no lineages are there to do without.
    """
    n = len(scaled)
    identity = str(settings["nk_identity"])
    cuts, skipped = lay_out(nodes, matched, identity)
    if nodes[-1].node in skipped and (fit is None or not fit.calls) and nodes[-1].node != LIVE:
        # without its last gate the hierarchy would call every lymphocyte an NK cell
        names = [c.marker for c in matched.markers]
        wanted = " or ".join(nodes[-1].markers).replace(IDENTITY, identity) or str(nodes[-1].role)
        where = f"gate {nodes[-1].node} (cytof.nk_identity, cytof.gates)"
        raise UserError("panel", where, wanted, f"a marker of the panel ({', '.join(names)})", names)
    alive = np.ones(n, bool) if start is None else start.copy()
    reached: dict[str, Bools] = {"": alive.copy()}
    rows: list[dict[str, Any]] = []
    done: list[tuple[Cut, Threshold]] = []
    passed: list[Bools] = []
    parent: str | None = None
    memory: dict[tuple[str, tuple[int, ...]], tuple[Threshold, Threshold]] = {}
    by_node: dict[str, list[Cut]] = {}
    for cut in cuts:
        by_node.setdefault(cut.node, []).append(cut)
    for node in nodes:
        entering = alive.copy()
        if node.node in skipped:
            log.info("%s: gate %s skipped: %s", sample, node.node, skipped[node.node])
            rows.append(_row(node.node, parent, int(alive.sum()), n_out=int(alive.sum()), reason=skipped[node.node]))
            parent = node.node
        for cut in by_node.get(node.node, []):
            looked = reached[node.look_at] if node.look_at else entering
            key = (cut.node, tuple(c.column for c in cut.channels))
            if key not in memory and fit is not None and LIVE in reached and node.role is None:
                fitted = fit.threshold(scaled, cut)
                if fitted is not None:
                    memory[key] = fitted, fitted
            if key not in memory:
                memory[key] = find(
                    signal(scaled, cut, looked),
                    cut,
                    settings,
                    rng=seeds.rng(seed, "cytof gate", sample, cut.gate),
                    pool=pool,
                )
            threshold = memory[key][1 if cut.part == "high" else 0]
            values = signal(scaled, cut)
            keep = passes(values, cut, threshold.value)
            ends = [int((alive & passes(values, cut, t)).sum()) for t in (threshold.low, threshold.high)]
            n_in = int(alive.sum())
            alive &= keep
            n_out = int(alive.sum())
            span = (min(n_out, *ends), max(n_out, *ends))
            rows.append(_row(cut.gate, parent, n_in, n_out=n_out, span=span, cut=cut, threshold=threshold))
            done.append((cut, threshold))
            passed.append(keep)
            parent = cut.gate
        reached[node.node] = alive.copy()
        if node.node == LIVE and fit is not None:
            fit.place(scaled, alive)
    final = nodes[-1].node
    begin = reached.pop("")
    low, high = _range(scaled, begin, done, passed=passed, n_final=int(alive.sum()))
    table = pd.DataFrame(rows)
    table.insert(0, "sample", sample)
    table.insert(1, "step", np.arange(len(table)))
    thresholds = {cut.gate: t for cut, t in done}
    gated = Gated(GATES.check(table), reached, done, skipped, final, low, high, thresholds, matched.channels)
    gated.fit = fit if fit is not None and fit.calls else None
    return gated


def _range(
    scaled: NDArray[np.floating], begin: Bools, done: list[tuple[Cut, Threshold]], *, passed: list[Bools], n_final: int
) -> tuple[float, float]:
    """The final count's range: each threshold moved alone to the ends of its interval, changes added in quadrature."""
    if not done:
        return float(n_final), float(n_final)
    failed = np.zeros(len(begin), np.uint8)
    for keep in passed:
        failed += ~keep
    down = up = 0.0
    for (cut, threshold), keep in zip(done, passed, strict=True):
        rest = begin & ((failed == 0) | ((failed == 1) & ~keep))
        values = signal(scaled, cut, rest)
        counts = [int(passes(values, cut, t).sum()) for t in (threshold.low, threshold.high)]
        down += max(n_final - min(counts), 0) ** 2
        up += max(max(counts) - n_final, 0) ** 2
    return max(n_final - float(np.sqrt(down)), 0.0), n_final + float(np.sqrt(up))


def _row(
    gate: str,
    parent: str | None,
    n_in: int,
    *,
    n_out: int,
    span: tuple[int, int] | None = None,
    cut: Cut | None = None,
    threshold: Threshold | None = None,
    method: str = "skipped",
    reason: str | None = None,
) -> dict[str, Any]:
    low, high = span if span is not None else (n_out, n_out)
    return {
        "gate": gate,
        "parent": parent,
        "n_in": n_in,
        "n_out": n_out,
        "n_out_low": low,
        "n_out_high": high,
        "channel": "+".join(c.channel for c in cut.channels) if cut else None,
        "marker": "+".join(c.marker for c in cut.channels) if cut else None,
        "side": cut.side if cut else None,
        "threshold": threshold.value if threshold else NAN,
        "threshold_low": threshold.low if threshold else NAN,
        "threshold_high": threshold.high if threshold else NAN,
        "method": threshold.method if threshold else method,
        "reason": threshold.reason if threshold else reason,
    }
