"""The lineage of every cell by its surface proteins, with the rules of cytometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.lineage import LINEAGES, Called, call_lineages
from cimlnk.cytof.lineage.call import TooLittle
from cimlnk.rna.antibodies import ISOTYPE, PROTEIN, Antibody

from .background import Background, find_background
from .negatives import T_MOSTLY_LACK, without_protein
from .scale import COFACTOR, sticky_cells, to_scale

SURE = 0.7  # confidence of a lineage from which its cells show the background of what they do not carry
MOVED = 0.1  # difference (log) of the noise from which lineages are called again

Floats = NDArray[np.floating]


class Proteins(NamedTuple):
    """Proteins of the cells of one batch.

    Attributes
    ----------
    values
        Cells × proteins on the analysis scale (float32), samples one after the other.
    markers
        Names of the columns; isotype controls and hashtags are none.
    backgrounds
        Of every sample, over all antibodies.
    sticky
        Cells that bind isotype controls.
    called
        Lineages, None with `reason`.
    """

    values: NDArray[np.float32]
    markers: list[str]
    backgrounds: list[Background]
    sticky: NDArray[np.bool_]
    called: Called | None
    reason: str | None


def call_proteins(
    samples: Sequence[Floats],
    antibodies: Sequence[Antibody],
    *,
    empties: Sequence[Floats | None] | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Proteins:
    """Scale the antibody counts of a batch and call the lineage of every cell.

    Parameters
    ----------
    samples
        Cells × antibodies of every sample, counts.
    antibodies
        What the columns are (:func:`cimlnk.rna.antibodies.read_antibodies`).
    empties
        Empty droplets × antibodies of every sample, None where there are none.
    seed, threads
        Of the clusterings.

    Returns
    -------
    Proteins

    Examples
    --------
    >>> found = call_proteins([counts], read_antibodies(names))  # doctest: +SKIP
    >>> (found.called.lineage == LINEAGES.index("NK")).sum()  # doctest: +SKIP
    """
    counts, empty = list(samples), list(empties or [None] * len(samples))
    negative = [without_protein(a.label) if a.kind == PROTEIN else () for a in antibodies]
    partly = [a.label in T_MOSTLY_LACK for a in antibodies]
    isotypes = [j for j, a in enumerate(antibodies) if a.kind == ISOTYPE]
    use = [j for j, a in enumerate(antibodies) if a.kind == PROTEIN]

    def lineages(backgrounds: Sequence[Background], parts: Sequence[Floats], columns: Sequence[int]) -> _Call:
        values = np.concatenate([to_scale(c, b)[:, columns] for c, b in zip(parts, backgrounds, strict=True)])
        labels = [antibodies[j].label for j in columns]
        # an antibody whose background is unknown in some sample cannot be compared over the batch
        known = np.isfinite(values).all(axis=0)
        names = [m for m, k in zip(labels, known, strict=True) if k]
        try:
            called = call_lineages(values[:, known], names, [COFACTOR] * len(names), seed=seed, threads=threads)
        except TooLittle as error:
            return _Call(values, None, str(error))
        return _Call(values, called, None)

    backgrounds = find_background(counts, empty)
    # whether a high lowest mode is background is told by lineages of the sample itself, found without the antibody
    apart = [np.full(len(c), "", object) for c in counts]
    for s, b in enumerate(backgrounds):
        told = [j for j in use if b.disputed[j] and negative[j]]
        if told:
            apart[s] = _sure(lineages([b], [counts[s]], [j for j in use if j not in told]).called, len(counts[s]))
    if any((names != "").any() for names in apart):
        backgrounds = find_background(counts, empty, lineages=apart, negative=negative, partly=partly)
    found = lineages(backgrounds, counts, use)
    by_cell = _sure(found.called, sum(map(len, counts)))
    ends = np.cumsum([len(c) for c in counts])[:-1]
    again = find_background(counts, empty, lineages=np.split(by_cell, ends), negative=negative, partly=partly)
    if any(_moved(a, b) for a, b in zip(backgrounds, again, strict=True)):
        backgrounds = again
        found = lineages(backgrounds, counts, use)
    sticky = np.concatenate([sticky_cells(c, b, isotypes) for c, b in zip(counts, backgrounds, strict=True)])
    return Proteins(found.values, [antibodies[j].label for j in use], backgrounds, sticky, found.called, found.reason)


class _Call(NamedTuple):
    values: NDArray[np.float32]
    called: Called | None
    reason: str | None


def _sure(called: Called | None, n: int) -> NDArray[np.object_]:
    """Names of the lineages, empty where they are not sure."""
    if called is None:
        return np.full(n, "", object)
    names = np.array(LINEAGES, object)[called.lineage]
    names[called.confidence < SURE] = ""
    return names


def _moved(before: Background, after: Background) -> bool:
    """Whether any noise differs by more than a tenth, or rests on another method."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.log(np.maximum(after.noise, 1.0)) - np.log(np.maximum(before.noise, 1.0))) > MOVED
    return bool(apart.any() or before.method != after.method)


def lineage_names(found: Proteins) -> NDArray[np.object_]:
    """Lineage of every cell in words; ``unsure`` for cells that bind isotype controls or where none was called."""
    if found.called is None:
        return np.full(len(found.values), "unsure", object)
    names = np.array(LINEAGES, object)[found.called.lineage]
    names[found.sticky] = "unsure"
    return names
