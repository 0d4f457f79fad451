"""Gates fitted to lineages: for each node the cut that best keeps what the lineage call keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.cytof.lineage.batch import Batch
from cimlnk.cytof.lineage.markers import CARRIED, LINEAGES, LYMPHOCYTES
from cimlnk.cytof.lineage.transfer import Placed

from .cuts import Cut, signal
from .density import GRID, STEP, Threshold, histogram
from .spec import Node

LEAST = 20  # events on either side for a sample's own fit
FLAT = 0.01  # loss of balanced accuracy within which another cut is as good
SHEET = "set in the override sheet"
UNTOLD = ("doublet", "unsure")
BRIGHT_DYE = float(np.arcsinh(4.0))  # of a viability dye, in cofactors from its negative cells
SPREADS = 2.5  # quartiles above the middle of the lineage, where its own spread ends
SMALLEST = (
    4 / 0.6745
)  # quartiles of forward scatter below its middle, four standard deviations: no whole cell of its kind

Bools = NDArray[np.bool_]
Floats = NDArray[np.floating]


def without_dying(placed: Placed, dye: Floats, target: int) -> tuple[Placed, int]:
    """Members of the target lineage but those as bright in a viability dye as stained cells are, and how many left.

    Monocytes take up more dye than lymphocytes and scatter more; the valley between them and dead cells keeps dying
    lymphocytes. A member is dying above both four cofactors (where a marker is bright) and the spread of its own kind.
    """
    member = placed.lineage == target
    if not member.any():
        return placed, 0
    middle, upper = np.quantile(dye[member], (0.5, 0.75))
    return _unsure(placed, member & (dye > max(BRIGHT_DYE, float(middle + SPREADS * (upper - middle)))), target)


def without_fragments(placed: Placed, size: Floats, target: int) -> tuple[Placed, int]:
    """Members of the target lineage but those that scatter far less than it, and how many left.

    Debris of small cells has no valley of its own before lymphocytes. A member is a fragment, or shrunken, four
    standard deviations of its own kind (by the lower quartile) below the middle of `size`, log forward scatter.
    """
    member = placed.lineage == target
    if not member.any():
        return placed, 0
    lower, middle = np.quantile(size[member], (0.25, 0.5))
    return _unsure(placed, member & (size < middle - SMALLEST * (middle - lower)), target)


def _unsure(placed: Placed, out: Bools, target: int) -> tuple[Placed, int]:
    if not out.any():
        return placed, 0
    unsure = LINEAGES.index("unsure")
    probability, lineage, confidence = placed.probability.copy(), placed.lineage.copy(), placed.confidence.copy()
    probability[out, unsure] += probability[out, target]
    probability[out, target] = 0
    lineage[out], confidence[out] = unsure, 0
    return placed._replace(probability=probability, lineage=lineage, confidence=confidence), int(out.sum())


class ByHand:
    """Thresholds set by the user for one sample: marker -> value on the gating scale; other gates follow the data."""

    calls = False  # gives no lineages

    def __init__(self, values: Mapping[str, float]) -> None:
        self.values = values

    def place(self, scaled: Floats, live: Bools) -> None:
        """Nothing to place."""

    def threshold(self, scaled: Floats, cut: Cut) -> Threshold | None:
        """The user's threshold of a gate's marker, if there is one."""
        value = self.values.get(cut.channels[0].marker)
        return None if value is None else Threshold(float(value), float(value), float(value), "override", SHEET)


class LineageFit:
    """Lineages of one sample's live events, and gates that follow them.

    Parameters
    ----------
    batch
        Lineages of the sample's batch.
    columns
        Column of every lineage marker of the batch in the sample's matrix.
    nodes
        The gating hierarchy: up to its node `lymphocytes` lymphocytes are kept, behind it the target.
    target
        Lineage that is looked for.
    by_hand
        Thresholds set by the user for this sample: marker -> value on the gating scale.
    dye
        Column of a viability dye in fluorescence, whose bright cells are no members (:func:`without_dying`).
    size
        Column of forward scatter, log-like (:func:`without_fragments`).
    """

    calls = True

    def __init__(
        self,
        batch: Batch,
        columns: Sequence[int],
        nodes: Sequence[Node],
        *,
        target: str,
        by_hand: Mapping[str, float] | None = None,
        seed: int = 0,
        dye: int | None = None,
        size: int | None = None,
    ) -> None:
        self.batch, self.columns, self.target, self.seed = batch, list(columns), target, seed
        self.by_hand, self.dye, self.size = dict(by_hand or {}), dye, size
        self.notes: list[str] = []
        names = [n.node for n in nodes]
        self.early = set(names[: names.index("lymphocytes") + 1])
        self.lineage: NDArray[np.int8] = np.empty(0, np.int8)
        self.confidence: NDArray[np.float32] = np.empty(0, np.float32)
        self.placed: Placed | None = None

    def place(self, scaled: Floats, live: Bools) -> None:
        """Give the live events their lineages; others get -1."""
        rows = np.flatnonzero(live)
        self.lineage = np.full(len(scaled), -1, np.int8)
        self.confidence = np.zeros(len(scaled), np.float32)
        if len(rows):
            placed = self.batch.place(
                scaled[rows][:, self.columns], seeds.derive(self.seed, "cytof place"), threads=None
            )
            target, self.notes = LINEAGES.index(self.target), []
            if self.dye is not None:
                placed, n = without_dying(placed, scaled[rows, self.dye], target)
                if n:
                    self.notes.append(f"{n:,} {self.target} cells are bright in the viability dye: left out as dying")
            if self.size is not None:
                placed, n = without_fragments(placed, scaled[rows, self.size], target)
                if n:
                    self.notes.append(
                        f"{n:,} {self.target} cells scatter far less than the others: left out as fragments"
                    )
            self.placed = placed
            self.lineage[rows], self.confidence[rows] = placed.lineage, placed.confidence

    @property
    def members(self) -> Bools:
        """Events of the target lineage."""
        return self.lineage == LINEAGES.index(self.target)

    @property
    def lymphocytes(self) -> Bools:
        """Live T, B and NK cells, and the target whatever it is."""
        return np.isin(self.lineage, [LINEAGES.index(n) for n in {*LYMPHOCYTES, self.target}])

    def threshold(self, scaled: Floats, cut: Cut) -> Threshold | None:
        """The cut of one gate; None where lineages say nothing about its marker.

        Found on the sample's own live events, with fewer than twenty on either side on those of its batch. With nothing
        to remove it stays where it removes nothing; never below the noise.
        """
        marker = cut.channels[0].marker
        if marker in self.by_hand:
            return ByHand(self.by_hand).threshold(scaled, cut)
        carriers = CARRIED.get(marker)
        if carriers is None or cut.side not in ("above", "below") or len(cut.channels) > 1:
            return None
        keep = {*LYMPHOCYTES, self.target} if cut.node in self.early else {self.target}
        if cut.side == "below":
            drop = set(carriers) - keep
            keep = keep - set(carriers)
        else:
            keep = keep & set(carriers)
            # T and B cells that carry the marker too were left behind at gates of their own
            both = set(carriers) & set(LYMPHOCYTES)
            drop = set(LINEAGES) - keep - (set(carriers) if cut.node in self.early else both) - set(UNTOLD)
        if not keep or not drop:
            return None
        noise, evidence, brightest = self._known(marker)
        where = "sample"
        kept, dropped = (self._values(scaled, cut, s) for s in (keep, drop))
        if (len(kept) < LEAST or len(dropped) < LEAST) and marker in self.batch.markers:
            own = self.batch.values[:, self.batch.markers.index(marker)]
            of_batch = [own[_among(self.batch.lineage, s)] for s in (keep, drop)]
            if all(len(v) >= LEAST for v in of_batch):
                (kept, dropped), where = of_batch, "batch"
        if len(kept) >= LEAST and len(dropped) >= LEAST:
            by_lineage = [v for v in self._each(scaled, cut, marker, names=keep, where=where) if len(v) >= LEAST] or [
                kept
            ]
            found = best_cut(by_lineage, dropped, cut.side, noise=noise)
            own = np.concatenate(by_lineage)
            lost, gone = (_beyond(v, found.value, cut.side) for v in (own, dropped))
            # of few cells among many others a cut that tells them not apart removes more than it loses, and all of both
            if lost > gone or 2 * lost > len(own):
                why = f"would lose {lost:,} of {len(own):,} {_words(keep)} to remove {gone:,} {_words(drop)}"
                return _removing_nothing(own, cut.side, noise, why=f"{why}: {marker} removes nothing")
            if where == "batch":
                why = (
                    f"fewer than {LEAST} events of {_words(keep)} or {_words(drop)} in this sample: fitted to its batch"
                )
                return Threshold(found.value, found.low, found.high, "lineage", why)
            return found
        if len(kept) < LEAST:
            if not np.isfinite(evidence):
                return None
            why = f"almost no {_words(keep)} in this sample or its batch: cut where {marker} begins to be positive"
            return Threshold(evidence, noise, max(evidence, brightest), "lineage", why)
        edge = _end(kept, cut.side)
        start = evidence if np.isfinite(evidence) else edge
        value = max(edge, start, noise) if cut.side == "below" else max(min(edge, start), noise)
        why = f"no {_words(drop)} in this sample or its batch: nothing to remove"
        return Threshold(value, min(value, max(noise, start)), value, "lineage", why)

    def _values(self, scaled: Floats, cut: Cut, names: set[str]) -> Floats:
        return signal(scaled, cut, _among(self.lineage, names))

    def _each(self, scaled: Floats, cut: Cut, marker: str, *, names: set[str], where: str) -> list[Floats]:
        """Values of every lineage by itself, so that a rare one counts as much as a common one."""
        if where == "sample":
            return [self._values(scaled, cut, {n}) for n in sorted(names)]
        own = self.batch.values[:, self.batch.markers.index(marker)]
        return [own[_among(self.batch.lineage, {n})] for n in sorted(names)]

    def _known(self, marker: str) -> tuple[float, float, float]:
        """Level of the noise, cut of the evidence (NaN if none), and brightest cluster of a marker."""
        if marker not in self.batch.markers:
            return -np.inf, np.nan, np.nan
        j = self.batch.markers.index(marker)
        cuts = self.batch.cuts
        return float(self.batch.noise[j]), float(cuts.value[j]), float(cuts.brightest[j])

    def interval(self, n: int, n_gates: float) -> tuple[float, float]:
        """Range of the target's count.

        Three doubts added in quadrature to either side: events that are members with little confidence or nearly so,
        the spread between clusterings, and the count by gates.
        """
        down = up = 0.0
        if self.placed is not None:
            at = LINEAGES.index(self.target)
            p = self.placed.probability[:, at].astype(np.float64)
            member = self.placed.lineage == at
            down += float((1 - p[member]).sum()) ** 2
            up += float(p[~member].sum()) ** 2
            counts = self.batch.counts[:, at].astype(np.float64)
            if counts.mean() > 0:
                sd = n * float(counts.std(ddof=1) / counts.mean()) if len(counts) > 1 else 0.0
                down, up = down + sd**2, up + sd**2
        if np.isfinite(n_gates):
            down += max(n - n_gates, 0.0) ** 2
            up += max(n_gates - n, 0.0) ** 2
        return max(n - float(np.sqrt(down)), 0.0), n + float(np.sqrt(up))

    def record(self, n_gates: float) -> dict[str, Any]:
        """Events and mean confidence per lineage, both counts of the target, and what could not be determined."""
        live = self.lineage >= 0
        counts, sure = {}, {}
        for i, name in enumerate(LINEAGES):
            own = live & (self.lineage == i)
            counts[name] = int(own.sum())
            sure[name] = round(float(self.confidence[own].mean()), 4) if own.any() else float("nan")
        n = counts[self.target]
        return {"counts": counts, "confidence": sure, "target": self.target, "n_lineage": n, "n_gates": n_gates,
                "limits": self.batch.limits}  # fmt: skip


def _among(lineage: NDArray[np.int8], names: set[str]) -> Bools:
    return np.isin(lineage, [LINEAGES.index(n) for n in names])


def _words(names: set[str]) -> str:
    return " or ".join(f"{n} cells" if n in ("T", "B", "NK") else n for n in LINEAGES if n in names)


def _end(kept: Floats, side: str) -> float:
    """The value beyond which a thousandth of the events lie, on the side that is cut off."""
    return float(np.quantile(kept, 0.999 if side == "below" else 0.001))


def _beyond(values: Floats, cut: float, side: str) -> int:
    """Events that a cut removes."""
    return int((values >= cut).sum() if side == "below" else (values < cut).sum())


def _removing_nothing(kept: Floats, side: str, noise: float, *, why: str) -> Threshold:
    """A cut at the end of what is kept."""
    edge = _end(kept, side)
    value = max(edge, noise) if side == "below" else edge
    return Threshold(value, value, value, "lineage", why)


def best_cut(kept: Sequence[Floats], dropped: Floats, side: str, *, noise: float) -> Threshold:
    """The cut with the best balanced accuracy: the middle of the stretch that is as good, its ends the interval.

    `kept` has the values of each lineage to be kept by itself; all count the same.
    """
    a = np.mean([np.cumsum(histogram(v)) / len(v) for v in kept], axis=0)
    b = np.cumsum(histogram(dropped)) / len(dropped)
    accuracy = (1 - a + b if side == "above" else a + 1 - b) / 2  # of a cut behind each cell of the grid
    accuracy = np.where(GRID + STEP / 2 >= noise, accuracy, -1.0)
    best = int(np.argmax(accuracy))
    good = accuracy >= accuracy[best] - FLAT
    left = right = best
    while left > 0 and good[left - 1]:
        left -= 1
    while right < len(GRID) - 1 and good[right + 1]:
        right += 1
    peak = np.flatnonzero(accuracy[left : right + 1] >= accuracy[best] - FLAT / 10) + left
    value = float(GRID[int(peak[len(peak) // 2])] + STEP / 2)
    reason = f"balanced accuracy {accuracy[best]:.3f}" if accuracy[best] < 0.95 else None
    return Threshold(value, float(GRID[left] + STEP / 2), float(GRID[right] + STEP / 2), "lineage", reason)
