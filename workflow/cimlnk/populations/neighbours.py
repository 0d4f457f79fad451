"""A cell's nearest neighbours in the graph or in its sketch, and how many of them carry its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Lists(NamedTuple):
    """Neighbour lists of the graph's cells.

    Attributes
    ----------
    indices
        m × k places among `rows`, the cell itself not in them.
    rows
        Which of all cells the graph has, ascending; all of them unless the graph is of a sketch.
    """

    indices: NDArray[np.int32]
    rows: NDArray[np.int64]


def read_lists(graph: str | Path, n: int) -> Lists:
    """The neighbour lists of ``graph.npz``.

    Raises
    ------
    ValueError
        If the graph is not about `n` cells: a fault in the calling code.
    """
    with np.load(graph) as saved:
        if int(saved["n_cells"]) != n:
            raise ValueError(f"graph of {int(saved['n_cells'])} cells, names of {n}")
        return Lists(saved["indices"], saved["rows"])


def outside(
    lists: Lists,
    features: str | Path,
    samples: Sequence[str] | NDArray[np.object_],
    *,
    seed: int,
    threads: int | None = None,
) -> Iterator[tuple[int, int, NDArray[np.int32]]]:
    """First row, end, and the k cells of the sketch nearest to each of these rows, for all stretches with cells
    outside of it; no search crosses the end of a sample."""
    # numba takes a second to load: only a sketch needs the search
    from cimlnk.graph.result import read_rows
    from cimlnk.graph.sketching import Known, nearest_in

    X = np.load(features, mmap_mode="r")
    if len(X) != len(samples):
        raise ValueError(f"names of {len(samples)} cells, {len(X)} rows of features")
    ends = np.flatnonzero(np.asarray(samples)[1:] != np.asarray(samples)[:-1]) + 1
    starts = np.concatenate([[0], ends]).tolist()
    spans = list(zip(starts, [*starts[1:], len(X)], strict=True))
    base = Known(read_rows(features, lists.rows), lists.rows)
    for a, b, _, found in nearest_in(base, X, lists.indices.shape[1], seed=seed, threads=threads, spans=spans):
        yield a, b, found.indices


def same_name(indices: NDArray[np.int32], known: NDArray[np.integer], own: NDArray[np.integer]) -> NDArray[np.float32]:
    """Share of each cell's neighbours that carry the cell's own name.

    Parameters
    ----------
    indices
        n × k positions in `known`, the cell itself excluded.
    known
        Integer codes of the names of the cells that can be neighbours.
    own
        n integer codes of the names of the cells asked about.

    Returns
    -------
    numpy.ndarray
        n float32 in 0-1; NaN without neighbours (k = 0: one cell in all).

    Examples
    --------
    >>> same_name(np.array([[1, 2], [0, 2], [0, 1]]), np.array([0, 0, 1]), np.array([0, 0, 1])).tolist()
    [0.5, 0.5, 0.0]
    """
    k = indices.shape[1]
    if k == 0:
        return np.full(len(own), np.nan, np.float32)
    same = np.zeros(len(own), dtype=np.float32)
    for column in range(k):  # one column at a time: n × k names of all cells would be the largest array of the rule
        same += known[indices[:, column]] == own
    return same / np.float32(k)


def confidence(
    agreement: NDArray[np.float32], score: NDArray[np.floating], margin: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Confidence in the names of cells, 0 to 1.

    Parameters
    ----------
    agreement
        Share of the neighbours with the cell's name (:func:`same_name`).
    score, margin
        Evidence for the name, and its likelihood minus the runner-up's over their sum; NaN counts as 0.

    Returns
    -------
    numpy.ndarray
        agreement × score × the name's share in the likelihood that it has together with the runner-up.

    Examples
    --------
    >>> confidence(np.float32([1.0, 0.5]), np.array([0.8, np.nan]), np.array([1.0, 1.0])).round(2).tolist()
    [0.800000011920929, 0.0]
    """
    certainty = np.nan_to_num(score) * (0.5 + 0.5 * np.nan_to_num(margin))
    return agreement * certainty.astype(np.float32)


def name_agreement(
    graph: str | Path,
    features: str | Path,
    names: NDArray[np.integer],
    *,
    samples: Sequence[str] | NDArray[np.object_],
    seed: int,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Share of every cell's nearest neighbours in the graph that carry its name.

    Where the graph is of a sketch, the cells of the sketch are asked about their neighbours of the graph, all others
    about the same number of cells of the sketch that lie nearest to them. The sketch is a uniform sample, so this
    estimates the same share.

    Parameters
    ----------
    graph
        ``graph.npz``: neighbour lists `indices` and the `rows` of the features that they are about.
    features
        ``features.npy`` the graph was made from (n × d); read in pieces, and only if the graph is of a sketch.
    names
        n integer codes of the names of all cells.
    samples
        Sample of every cell; the rows of a sample lie together. No search crosses the end of a sample, as in the
        transfer of labels, so a sample's result does not depend on the others'.
    seed, threads
        Of the search.

    Returns
    -------
    numpy.ndarray
        n float32 in 0-1, NaN where there are no neighbours.

    Raises
    ------
    ValueError
        If the graph is not about these cells: a fault in the calling code.
    """
    n = len(names)
    lists = read_lists(graph, n)
    known = names[lists.rows]
    inside = same_name(lists.indices, known, known)
    if len(lists.rows) == n:
        return inside
    agreement = np.empty(n, np.float32)
    for a, b, found in outside(lists, features, samples, seed=seed, threads=threads):
        agreement[a:b] = same_name(found, known, names[a:b])
    agreement[lists.rows] = inside
    return agreement
