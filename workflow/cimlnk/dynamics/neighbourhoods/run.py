"""What the rule dynamics_neighbourhoods runs: read the graph, call the pure functions, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.tables import read_table, write_table

from .differential import neighbourhood_tests
from .sampling import count_samples, find_neighbourhoods, majority
from .tables import NEIGHBOURHOODS

PathLike = str | Path
SMALLEST = 30  # cells; a smaller neighbourhood cannot hold a few cells of several samples


def write_neighbourhoods(
    *,
    modalities: Sequence[str],
    features: Sequence[PathLike],
    graphs: Sequence[PathLike],
    cells: Sequence[PathLike],
    populations: Sequence[PathLike],
    umaps: Sequence[PathLike],
    samples: PathLike,
    settings: Mapping[str, Any],
    state_settings: Mapping[str, Any],
    seed: int,
    output: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write NEIGHBOURHOODS of all modalities; the file lists are in the order of `modalities`.

    Where the graph is of a sketch, neighbourhoods are of the sketch: it is a uniform sample of the cells.

    Parameters
    ----------
    settings, state_settings
        Config ``dynamics.neighbourhoods``, and ``dynamics.state`` (with ``baselines``) for contrasts and the fewest
        patients.
    """
    sheet = read_table(samples)
    parts = [
        _of_modality(
            m,
            matrix,
            graph,
            cells=names,
            populations=labels,
            umap=umap,
            sheet=sheet,
            settings=settings,
            state_settings=state_settings,
            seed=seed,
        )
        for m, matrix, graph, names, labels, umap in zip(
            modalities, features, graphs, cells, populations, umaps, strict=True
        )
    ]
    table = pd.concat(parts, ignore_index=True) if parts else NEIGHBOURHOODS.empty()
    write_table(table, output, NEIGHBOURHOODS, provenance=provenance)


def _of_modality(
    modality: str,
    features: PathLike,
    graph: PathLike,
    *,
    cells: PathLike,
    populations: PathLike,
    umap: PathLike,
    sheet: pd.DataFrame,
    settings: Mapping[str, Any],
    state_settings: Mapping[str, Any],
    seed: int,
) -> pd.DataFrame:
    with np.load(graph) as saved:
        neighbours, rows = saved["indices"], saved["rows"]
    names = read_table(cells)
    of_modality = sheet[(sheet["modality"] == modality) & sheet["sample"].isin(names["sample"].unique())]
    of_modality = of_modality.sort_values("sample", kind="stable").reset_index(drop=True)
    size = max(SMALLEST, round(settings["cells_per_sample"] * len(of_modality)))
    if neighbours.shape[1] == 0 or len(rows) < 2 * size:
        return NEIGHBOURHOODS.empty()
    matrix = np.load(features, mmap_mode="r")
    used = names.iloc[rows].reset_index(drop=True)
    found = find_neighbourhoods(
        np.asarray(matrix[rows]) if len(rows) < len(names) else matrix,
        neighbours,
        size=size,
        share=settings["share"],
        most=settings["max_neighbourhoods"],
        seed=seed,
    )
    code = pd.Index(of_modality["sample"]).get_indexer(pd.Index(used["sample"]))
    counts = count_samples(found, code, len(of_modality))
    totals = np.bincount(code, minlength=len(of_modality))
    tested = neighbourhood_tests(
        counts,
        totals,
        found.radius,
        samples=of_modality,
        baselines=state_settings["baselines"],
        reference_arm=state_settings["reference_arm"],
        min_patients=state_settings["min_patients"],
    )
    label = read_table(populations).set_index("cell")["population"].reindex(used["cell"]).to_numpy()
    population, purity = majority(found, label)
    centre = used["cell"].to_numpy()[found.centre]
    place = read_table(umap).set_index("cell").reindex(centre)
    about = pd.DataFrame(
        {
            "neighbourhood": np.arange(len(found.centre)),
            "modality": modality,
            "index_cell": centre,
            "n_cells": found.sizes,
            "radius": found.radius,
            "umap1": place["umap1"].to_numpy(float),
            "umap2": place["umap2"].to_numpy(float),
            "population": population,
            "purity": purity,
        }
    )
    return NEIGHBOURHOODS.check(tested.merge(about, on="neighbourhood", how="left"))
