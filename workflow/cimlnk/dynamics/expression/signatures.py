"""Gene-set scores of pseudobulks, so that a programme is tested over patients and not over genes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.yaml_file import read_yaml


class GeneSet(NamedTuple):
    """Genes that are up and genes that are down where the programme runs."""

    name: str
    up: tuple[str, ...]
    down: tuple[str, ...]


def read_gene_sets(paths: Iterable[str | Path]) -> list[GeneSet]:
    """Gene sets of YAML files: ``programmes: {name: {up: [...], down: [...]}}``.

    Raises
    ------
    UserError
        If a file is missing, has no ``programmes``, or a set has no list of genes or a name that was used before.
    """
    sets: dict[str, GeneSet] = {}
    for path in map(Path, paths):
        if not path.is_file():
            raise UserError(path, "config key dynamics.expression.signatures", Plain("no such file"), "a YAML file")
        content = read_yaml(path)
        programmes = content.get("programmes") if isinstance(content, dict) else None
        if not isinstance(programmes, dict):
            raise UserError(path, "top level", Plain("no `programmes`"), "a mapping `programmes` of gene sets")
        for name, body in programmes.items():
            up, down = (body.get(side, []) if isinstance(body, dict) else None for side in ("up", "down"))
            if not isinstance(up, list) or not isinstance(down, list) or not up + down:
                raise UserError(path, f"programmes.{name}", body, "lists of genes, `up` and (optional) `down`")
            if name in sets:
                raise UserError(path, f"programmes.{name}", name, "a name not used by another gene set")
            sets[name] = GeneSet(str(name), tuple(map(str, up)), tuple(map(str, down)))
    return list(sets.values())


def log_cpm(counts: pd.DataFrame) -> pd.DataFrame:
    """log2 of counts per million with half a molecule added; genes x samples."""
    return np.log2(1e6 * (counts + 0.5) / (counts.sum(axis=0) + 1.0))


def scores(counts: pd.DataFrame, sets: Iterable[GeneSet], min_genes: int = 5) -> tuple[pd.DataFrame, Mapping[str, int]]:
    """Mean z of the up genes minus mean z of the down genes, per sample.

    A gene's z is its log2 CPM centred and scaled over the samples given (one population), so every gene weighs the
    same whatever its level. Genes without variation do not count.

    Parameters
    ----------
    counts
        Genes x samples, pseudobulks of one population.
    min_genes
        Sets with fewer measured genes (up and down together) are left out of the scores.

    Returns
    -------
    scores, measured
        Sets x samples, and the number of measured genes of every set, those left out included.
    """
    logs = log_cpm(counts)
    spread = logs.std(axis=1, ddof=1)
    seen = logs[(counts.sum(axis=1) > 0) & (spread > 0)]
    z = seen.sub(seen.mean(axis=1), axis=0).div(spread[seen.index], axis=0)
    rows, measured = {}, {}
    for item in sets:
        up, down = ([g for g in genes if g in z.index] for genes in (item.up, item.down))
        measured[item.name] = len(up) + len(down)
        if measured[item.name] >= min_genes:
            rows[item.name] = (z.loc[up].mean() if up else 0.0) - (z.loc[down].mean() if down else 0.0)
    return pd.DataFrame(rows, index=counts.columns).T, measured
