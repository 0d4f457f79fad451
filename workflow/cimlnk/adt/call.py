"""The lineage of every cell by its surface proteins, with the rules of cytometry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.lineage import LINEAGES, Called, call_lineages
from cimlnk.rna.antibodies import ISOTYPE, PROTEIN, Antibody

from .background import Background, find_background
from .scale import COFACTOR, sticky_cells, to_scale

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
    backgrounds = find_background(list(samples), list(empties or [None] * len(samples)))
    isotypes = [j for j, a in enumerate(antibodies) if a.kind == ISOTYPE]
    use = [j for j, a in enumerate(antibodies) if a.kind == PROTEIN]
    pairs = list(zip(samples, backgrounds, strict=True))
    values = np.concatenate([to_scale(c, b)[:, use] for c, b in pairs])
    sticky = np.concatenate([sticky_cells(c, b, isotypes) for c, b in pairs])
    markers = [antibodies[j].label for j in use]
    # an antibody whose background is unknown in some sample cannot be compared over the batch
    known = np.isfinite(values).all(axis=0)
    names = [m for m, k in zip(markers, known, strict=True) if k]
    try:
        called = call_lineages(values[:, known], names, [COFACTOR] * len(names), seed=seed, threads=threads)
    except ValueError as error:  # too few cells, or no antibody that tells lineages
        return Proteins(values, markers, backgrounds, sticky, None, str(error))
    return Proteins(values, markers, backgrounds, sticky, called, None)


def lineage_names(found: Proteins) -> NDArray[np.object_]:
    """Lineage of every cell in words; ``unsure`` for cells that bind isotype controls or where none was called."""
    if found.called is None:
        return np.full(len(found.values), "unsure", object)
    names = np.array(LINEAGES, object)[found.called.lineage]
    names[found.sticky] = "unsure"
    return names
