"""Scores of single cells by genes: a cell's own molecules, held against those of its nearest neighbours.

A cell shows few molecules of any gene, and its neighbours need not be of its kind: five CD56bright cells among 250
others have none. So the neighbours are the expectation and the cell's own molecules move it: counts are Poisson about a
level that is gamma distributed about the neighbours', and its mean given the counts is the level of the cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .definitions import Definitions, Score
from .distances import EPSILON
from .evidence import Distances
from .naming import name_rows
from .neighbours import Lists, outside

BLOCK = 20_000  # cells that are named at once
# Shape of what neighbours say about a cell: an sd of half the level. With 1 cells name themselves and more names are
# wrong; the higher it is, the more CD56bright cells (by protein) among 250 others are missed.
SHAPE = 4.0
PER = 1e4

Floats = NDArray[np.floating]


class Molecules:
    """Molecules of the sides of every score in every cell.

    Parameters
    ----------
    values
        Cells × genes, log1p of molecules per 10,000.
    genes
        Names of the columns.
    depth
        Molecules of every cell over all genes.
    scores
        Their names and genes.
    """

    def __init__(self, values: Floats, genes: Sequence[str], depth: NDArray[Any], *, scores: dict[str, Score]) -> None:
        place = {g: i for i, g in enumerate(genes)}
        self.scores, self.missing = scores, dict[str, str]()
        self.sides: list[tuple[str, bool]] = []  # score, and whether this is what it is over
        columns: list[list[int]] = []
        for name, score in scores.items():
            over, under = ([place[g] for g in side if g in place] for side in (score.over, score.under))
            if not over or (score.under and not under):
                asked = score.over if not over else score.under
                self.missing[name] = f"for which none of {', '.join(asked)} was measured"
                continue
            columns += [over, under] if under else [over]
            self.sides += [(name, True), (name, False)] if under else [(name, True)]
        self.size = (np.asarray(depth, np.float64) / PER).astype(np.float32)
        found = np.zeros((len(values), len(columns)), np.float32)
        for start in range(0, len(values), BLOCK):
            level = np.expm1(values[start : start + BLOCK])
            for j, side in enumerate(columns):
                found[start : start + BLOCK, j] = level[:, side].sum(axis=1)
        self.found = np.rint(found * self.size[:, None])

    def distances(self, rows: NDArray[np.integer], near: NDArray[np.integer], same: NDArray[np.bool_]) -> Distances:
        """Distances of the scores of cells `rows` from where each becomes positive, log2, and their doubt.

        Parameters
        ----------
        rows
            Cells (m).
        near, same
            Their neighbours (m × k, cells) and which of those speak for them.
        """
        own, size = self.found[rows], self.size[rows][:, None]
        total, around = own.copy(), size.copy()
        for j in range(near.shape[1]):
            total += np.where(same[:, j, None], self.found[near[:, j]], 0)
            around += np.where(same[:, j], self.size[near[:, j]], 0)[:, None]
        expected = total / around + EPSILON
        level = np.log2((SHAPE + own) / (SHAPE / expected + size))
        # no surer than the cell's own molecules and the neighbours' allow, whichever of the two is less
        noise = np.maximum(1 / np.maximum(total, 1), 1 / (SHAPE + own)) / np.log(2) ** 2
        index = pd.RangeIndex(len(rows))
        unknown = np.full(len(rows), np.nan, np.float32)
        value, doubt = dict.fromkeys(self.scores, unknown), dict.fromkeys(self.scores, unknown)
        for j, (name, first) in enumerate(self.sides):
            score = self.scores[name]
            if first:
                start = score.above if score.under else np.log2(score.above)
                value[name], doubt[name] = level[:, j] - start, noise[:, j] + score.sd**2
            else:
                value[name], doubt[name] = value[name] - level[:, j], doubt[name] + noise[:, j]
        nothing = pd.DataFrame(index=index)
        sd = {name: np.sqrt(v) for name, v in doubt.items()}
        return Distances(
            pd.DataFrame(value, index=index), nothing, nothing, pd.DataFrame(sd, index=index), self.missing
        )


def name_by_transcripts(
    molecules: Molecules,
    cluster: NDArray[np.integer],
    definitions: Definitions,
    *,
    lists: Lists,
    features: str | Path | None = None,
    samples: NDArray[np.object_] | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> tuple[NDArray[np.object_], Floats, Floats]:
    """Name, score and margin of every cell by its genes and those of its nearest neighbours of the same cluster.

    Parameters
    ----------
    molecules
        Of the cells.
    cluster
        Of every cell.
    definitions
        Named populations, with the scores that `molecules` has.
    lists
        Neighbours of the graph's cells; those of cells outside of a sketch are the cells of the sketch nearest to them.
    features, samples, seed, threads
        For those, as in :func:`cimlnk.populations.neighbours.name_agreement`.
    """
    n = len(cluster)
    population, score, margin = np.empty(n, object), np.empty(n), np.empty(n)
    for rows, near in _neighbours(lists, n, features=features, samples=samples, seed=seed, threads=threads):
        for start in range(0, len(rows), BLOCK):
            mine, theirs = rows[start : start + BLOCK], near[start : start + BLOCK]
            same = cluster[theirs] == cluster[mine][:, None]
            found = name_rows(molecules.distances(mine, theirs, same), definitions)
            population[mine], score[mine], margin[mine] = found
    return population, score, margin


def _neighbours(
    lists: Lists,
    n: int,
    *,
    features: str | Path | None,
    samples: NDArray[np.object_] | None,
    seed: int,
    threads: int | None,
) -> Iterator[tuple[NDArray[np.integer], NDArray[np.integer]]]:
    """Cells and their neighbours among all cells: stretches with cells outside of the graph first, then its own."""
    if len(lists.rows) < n:
        if features is None or samples is None:
            raise ValueError("a sketch needs the features and the samples of all cells")
        for first, end, near in outside(lists, features, samples, seed=seed, threads=threads):
            yield np.arange(first, end), lists.rows[near]
    yield lists.rows, lists.rows[lists.indices]
