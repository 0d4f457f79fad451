"""Names that kinds of NK cells, each a cluster, are given from their own cells and thresholds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.distances import cluster_distances
from cimlnk.populations.naming import name_clusters
from cimlnk.populations.positivity import Reference, protein_thresholds
from nk_cells import KINDS, MARKERS, NAMES, tubes

NK = Path(__file__).resolve().parents[2] / "resources/phenotypes/nk.yaml"
ALL = dict.fromkeys(KINDS, 400)


def name(
    kinds: dict[str, int] = ALL,
    *,
    infused: bool = True,
    markers: tuple[str, ...] = MARKERS,
    cofactor: float = 5.0,
    reference: bool = True,
    lacking: tuple[str, ...] = (),
    every: int = 2,
    **tube: object,
) -> pd.DataFrame:
    """The names of kinds of cells, each a cluster, as the pipeline gives them.

    Of `every` files one measured all, the others have no `lacking`.
    """
    values, kind, batch, lineage, _ = tubes(kinds, cofactor=cofactor, **tube)
    without = np.flatnonzero(np.arange(len(values)) % every != 0)
    values[np.ix_(without, [MARKERS.index(m) for m in lacking])] = np.nan
    columns = [MARKERS.index(m) for m in markers]
    values = values[:, columns]
    nk = lineage == "NK"
    shown = Reference(values, list(markers), batch, lineage, np.ones(len(values)))
    thresholds = protein_thresholds(
        values[nk], list(markers), batch[nk], samples=batch[nk], cofactors=dict.fromkeys(markers, cofactor),
        reference=shown if reference else None,
    )  # fmt: skip
    definitions = load_definitions(NK, infused=infused)
    codes, kinds_there = pd.factorize(kind[nk], sort=True)
    distances = cluster_distances(
        values[nk], list(markers), codes, batch=batch[nk], thresholds=thresholds, definitions=definitions
    )
    named = name_clusters(distances, definitions)
    return named.set_index(pd.Index(kinds_there))


def expected(*kinds: str) -> dict[str, str]:
    return {k: NAMES[k] for k in kinds}
