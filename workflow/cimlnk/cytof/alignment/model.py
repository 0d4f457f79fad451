"""Align batches by monotone maps between quantiles, one per batch, metacluster and marker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cimlnk.common.errors import UserError

from .design import check_design, covariates, dummies, estimable
from .metaclusters import Metaclusters, find_metaclusters

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.intp]

LEVELS = np.linspace(0.01, 0.99, 99)
FEWEST = 50  # cells of a sample in a metacluster from which its quantiles are used


@dataclass(frozen=True)
class Alignment:
    """Fitted maps.

    Attributes
    ----------
    markers, batches
        Names; the order of the axes below.
    overall
        (batches, 2, markers, levels): quantiles of a batch and where they go, all cells together.
    maps
        (batches, metaclusters, 2, markers, levels) the same per metacluster.
    own
        (metaclusters,) False where a metacluster had too few cells in some batch and uses the overall map.
    metaclusters
        How a cell finds its metacluster, after the overall map.
    """

    markers: tuple[str, ...]
    batches: tuple[str, ...]
    overall: Floats
    maps: Floats
    own: npt.NDArray[np.bool_]
    metaclusters: Metaclusters

    def apply(self, values: Floats, batch: str, source: object = "cells") -> Floats:
        """Aligned values of cells of one batch.

        Between quantiles the map is linear, beyond the first and last percent it shifts by a constant. Exact zeros (no
        ion counted) stay zero.

        Raises
        ------
        UserError
            If the batch was not among the training samples.
        """
        if batch not in self.batches:
            raise UserError(source, "column batch", batch, "a batch with training samples", self.batches)
        b = self.batches.index(batch)
        values = np.asarray(values, dtype=np.float64)
        rough = _map_markers(values, self.overall[b])
        cluster = self.metaclusters.assign(rough)
        out = np.empty_like(values)
        for c in range(self.metaclusters.n):
            rows = cluster == c
            out[rows] = _map_markers(values[rows], self.maps[b, c]) if self.own[c] else rough[rows]
        return out

    def save(self, path: str | Path) -> None:
        """Write to .npz; equal models give equal bytes."""
        m = self.metaclusters
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("wb") as f:
            np.savez(
                f,
                markers=np.array(self.markers),
                batches=np.array(self.batches),
                overall=self.overall,
                maps=self.maps,
                own=self.own,
                mean=m.mean,
                spread=m.spread,
                nodes=m.nodes,
                label=m.label,
            )


def load_alignment(path: str | Path) -> Alignment:
    """Read a model written by :meth:`Alignment.save`."""
    with np.load(path, allow_pickle=False) as z:
        meta = Metaclusters(z["mean"], z["spread"], z["nodes"], z["label"])
        markers, batches = tuple(map(str, z["markers"])), tuple(map(str, z["batches"]))
        return Alignment(markers, batches, z["overall"], z["maps"], z["own"], meta)


def fit_alignment(
    values: Floats,
    sample: npt.NDArray[np.integer],
    batch: Sequence[str],
    *,
    kept: Mapping[str, Sequence[object]],
    markers: Sequence[str],
    metaclusters: int = 5,
    minimum: int = FEWEST,
    seed: int = 0,
    what: str = "the training samples",
    source: object = "sample sheet",
) -> Alignment:
    """Estimate the batch effect on every quantile, and the maps that take it out.

    At each of 99 quantile levels, q(sample) = covariates + batch is fitted by least squares, weighted by the number of
    cells, batch effects summing to zero; a batch's quantiles are mapped to themselves minus its effect. With anchor
    samples the covariate is the anchor's identity: with one anchor per batch this is CytoNorm's map to the mean of the
    batches. Without anchors the covariates are what must survive (time point, arm). First one map for all cells is
    fitted; on the cells so mapped metaclusters are found; then a map per metacluster, from the original values.

    Parameters
    ----------
    values
        (cells, markers) of the training samples on the analysis scale.
    sample
        (cells,) index of the sample.
    batch
        Batch of each sample.
    kept
        Covariates by name, one value per sample.
    markers
        Names of the columns.
    metaclusters
        Number of metaclusters; 1 for the overall map alone.
    minimum
        Fewest cells of a sample in a metacluster for its quantiles to count. A metacluster for which the batches can
        then no longer be estimated uses the overall map.
    seed
        See :func:`find_metaclusters`.

    Raises
    ------
    UserError
        If the design does not identify the batch effects (:func:`check_design`).

    References
    ----------
    Van Gassen S et al. (2020) CytoNorm: a normalization algorithm for cytometry data. Cytometry A 97:268-278.
    """
    check_design(batch, kept, what, source=source)
    _, levels = dummies(batch)
    names = np.array([str(b) for b in batch])
    everything = _fit_maps(values, sample, names, kept=kept, levels=levels, minimum=1)
    if everything is None:
        raise ValueError("the overall map could not be fitted although the design allows it")
    rough = np.empty(values.shape)
    for b, name in enumerate(levels):
        rows = (names == name)[sample]
        rough[rows] = _map_markers(values[rows], everything[b])
    meta = find_metaclusters(rough, metaclusters, seed)
    cluster = meta.assign(rough)
    maps = np.repeat(everything[:, None], meta.n, axis=1)
    own = np.zeros(meta.n, dtype=bool)
    for c in range(meta.n):
        rows = cluster == c
        fitted = _fit_maps(values[rows], sample[rows], names, kept=kept, levels=levels, minimum=minimum)
        if fitted is not None:
            maps[:, c], own[c] = fitted, True
    return Alignment(tuple(markers), tuple(levels), everything, maps, own, meta)


def _fit_maps(
    values: Floats,
    sample: npt.NDArray[np.integer],
    batch: npt.NDArray[np.str_],
    *,
    kept: Mapping[str, Sequence[object]],
    levels: list[str],
    minimum: int,
) -> Floats | None:
    """(batches, 2, markers, levels), or None if too few samples have enough cells to estimate every batch."""
    count = np.bincount(sample, minlength=len(batch))
    used = np.flatnonzero(count >= minimum)
    some = {name: [v[int(i)] for i in used] for name, v in kept.items()}
    if set(batch[used]) != set(levels) or not estimable(batch[used].tolist(), some):
        return None
    quantiles = np.array([np.quantile(values[sample == i], LEVELS, axis=0).T for i in used])
    x, (b, _) = covariates(some, len(used)), dummies(batch[used].tolist())
    contrast = b[:, :-1] - b[:, -1:]  # effects that sum to zero
    weight = np.sqrt(count[used].astype(float))[:, None]
    flat = quantiles.reshape(len(used), -1)
    solved = np.linalg.lstsq(np.hstack([x, contrast]) * weight, flat * weight, rcond=None)[0]
    effect = solved[x.shape[1] :]
    effect = np.vstack([effect, -effect.sum(axis=0)]).reshape(len(levels), *quantiles.shape[1:])
    out = np.empty((len(levels), 2, *quantiles.shape[1:]))
    for i, name in enumerate(levels):
        mine = batch[used] == name
        out[i, 0] = np.average(quantiles[mine], axis=0, weights=count[used][mine])
        out[i, 1] = np.maximum.accumulate(out[i, 0] - effect[i], axis=-1)
    return out


def _map_markers(values: Floats, maps: Floats) -> Floats:
    """Apply (2, markers, levels) to (cells, markers)."""
    out = np.empty(values.shape)
    for j in range(values.shape[1]):
        x = np.asarray(values[:, j], dtype=np.float64)
        at, first, size = np.unique(maps[0, j], return_index=True, return_counts=True)
        to = np.add.reduceat(maps[1, j], first) / size  # a point mass goes to the mean of its targets
        y = np.interp(x, at, to)
        y += np.where(x < at[0], x - at[0], 0.0) + np.where(x > at[-1], x - at[-1], 0.0)
        out[:, j] = np.where(x == 0, 0.0, y)
    return out
