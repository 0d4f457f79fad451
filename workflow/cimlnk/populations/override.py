"""Names and thresholds that a person decides, put over the pipeline's own, with what would have been beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.cohort.overrides import cell_ids
from cimlnk.common.errors import UserError
from cimlnk.common.vocabulary import UNASSIGNED

from .tables import OVERRIDDEN


def set_thresholds(cuts: pd.DataFrame, overrides: Sequence[Mapping[str, Any]], file: str) -> pd.DataFrame:
    """THRESHOLDS with the override sheet's numbers; `method` becomes ``override``, `reason` tells the old value.

    A row's key is a batch, or ``all``; a cohort without thresholds by batch takes every row.

    Raises
    ------
    UserError
        For a marker or batch that has no threshold.
    """
    cuts = cuts.copy()
    for o in overrides:
        if o["what"] != "threshold":
            continue
        where = f"row {o['row']}"
        rows = cuts["feature"] == o["marker"]
        if not rows.any():
            raise UserError(file, f"{where}, column marker", o["marker"], "a marker of the data", cuts["feature"])
        if "batch" in cuts and o["key"] != "all":
            batches = sorted(cuts["batch"].astype(str).unique())
            if o["key"] not in batches:
                expected = f"all, or a batch: {', '.join(batches)}"
                raise UserError(file, f"{where}, column key", o["key"], expected, batches)
            rows &= cuts["batch"].astype(str) == o["key"]
        was = cuts.loc[rows, "threshold"].map(lambda v: f"{v:.3g}" if v == v else "none")
        cuts.loc[rows, "reason"] = [f"{where} of the override sheet; it would have been {w}" for w in was]
        cuts.loc[rows, "threshold"] = o["number"]
        for column in ("low", "high"):
            if column in cuts:
                cuts.loc[rows, column] = o["number"]
        cuts.loc[rows, "method"] = "override"
    return cuts


def rename_cells(
    population: NDArray[np.object_],
    cluster: NDArray[np.integer],
    cells: NDArray[np.object_],
    *,
    values: pd.DataFrame | Mapping[str, NDArray[np.floating]],
    overrides: Sequence[Mapping[str, Any]],
    base: str | Path,
    file: str,
) -> tuple[NDArray[np.object_], pd.DataFrame]:
    """Population of every cell after the sheet's rows, one after the other, and OVERRIDDEN.

    Parameters
    ----------
    population, cluster, cells
        Name, cluster and id of every cell.
    values
        Marker -> value of every cell on the analysis scale, for splits.
    overrides
        Rows of :func:`cimlnk.cohort.overrides.names_of`.
    base, file
        Folder of the files of cell ids; name of the sheet in messages.

    Raises
    ------
    UserError
        For a cluster, population, cell or marker that is not there.
    """
    result, told = population.copy(), []
    for o in overrides:
        rows = _rows(o, result, cluster, cells=cells, base=Path(base), file=file)
        if o["action"] == "split":
            if o["marker"] not in values:
                where = f"row {o['row']}, column marker"
                raise UserError(file, where, o["marker"], "a marker of the data", list(values))
            rows = rows & (np.asarray(values[o["marker"]]) > o["number"])
        name = UNASSIGNED if o["action"] == "exclude" else o["name"]
        before = pd.Series(result[rows]).value_counts().sort_index()
        told.append(
            {"row": o["row"], "what": o["what"], "key": o["key"], "action": o["action"], "marker": o["marker"],
             "value": np.nan if o["number"] is None else o["number"], "n_cells": int(rows.sum()),
             "would_be": ", ".join(f"{k} ({n})" for k, n in before.items()), "population": name, "why": o["why"]}
        )  # fmt: skip
        result[rows] = name
    return result, OVERRIDDEN.check(pd.DataFrame(told, columns=list(OVERRIDDEN.columns)))


def annotation_by_hand(table: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """ANNOTATION with the names of whole clusters that rows changed; `reason` tells the row and the old name."""
    table = table.copy()
    for change in changes.to_dict("records"):
        if change["action"] == "split" or change["what"] == "cells":
            continue
        by_cluster = change["what"] == "cluster"
        rows = table["cluster"] == int(change["key"]) if by_cluster else table["population"] == change["key"]
        was = table.loc[rows, "population"]
        table.loc[rows, "reason"] = [f"row {change['row']} of the override sheet; it would have been {w}" for w in was]
        table.loc[rows, "population"] = change["population"]
    return table


def _rows(
    o: Mapping[str, Any], population: NDArray[np.object_], cluster: NDArray[np.integer], *, cells: NDArray[np.object_],
    base: Path, file: str,
) -> NDArray[np.bool_]:  # fmt: skip
    """The cells a row is about."""
    where = f"row {o['row']}, column key"
    if o["what"] == "cluster":
        rows = cluster == int(o["key"])
        if not rows.any():
            raise UserError(file, where, o["key"], f"a cluster from 0 to {int(cluster.max(initial=0))}")
        return rows
    if o["what"] == "population":
        rows = population == o["key"]
        if not rows.any():
            raise UserError(file, where, o["key"], "a population of the run", sorted(set(population)))
        return rows
    wanted = cell_ids(dict(o), base, file)
    rows = np.isin(cells.astype(str), wanted)
    if rows.sum() < len(set(wanted)):
        stranger = next(c for c in wanted if c not in set(cells[rows].astype(str)))
        raise UserError(file, where, stranger, "the id of an NK cell of the run (sample:event)")
    return rows
