"""A sample's FCS file again, with what was found as further channels, for programs that only know FCS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.vocabulary import event_of, sample_of
from cimlnk.cytof.fcs.header import FcsHeader, read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.h5ad import read_names

OWN = re.compile(r"\$(P\d+[A-FH-Z]\w*|BEGIN\w+|END\w+|BYTEORD|DATATYPE|MODE|NEXTDATA|PAR|TOT|UNICODE)")
ADDED = ("cimlnk_nk", "cimlnk_population", "cimlnk_confidence", "cimlnk_cluster", "cimlnk_umap1", "cimlnk_umap2")
ASIDE = 5.0  # cells without a place on the map stand this far below and left of it


class Written(NamedTuple):
    """What was written: the old file's header, all events with the added channels, the populations' numbers."""

    header: FcsHeader
    events: NDArray[np.floating]
    codes: dict[str, int]


def export_fcs(
    *,
    fcs: str | Path,
    cells: str | Path,
    populations: str | Path,
    umap: str | Path,
    output: str | Path,
    provenance: Mapping[str, Any],
    names: Sequence[str] | None = None,
    corner: tuple[float, float] | None = None,
) -> Written:
    """Write all events of a file, bit by bit as they were, and six channels more.

    `cimlnk_nk` is 1 for gated NK cells; `cimlnk_population` numbers the populations of the cohort in alphabetical
    order from 1 (0 = no NK cell), the names standing in the keywords ``CIMLNK_POPULATION_<n>`` and, together, in $PnS;
    `cimlnk_confidence` is that of the population; `cimlnk_cluster` the cluster's number plus 1; the two UMAP axes put
    events that are no NK cells aside, below and left of the map. Keywords of the old file are kept as far as they do
    not describe its bytes.

    Parameters
    ----------
    fcs
        The file that was gated.
    cells
        The sample's h5ad.
    populations, umap
        POPULATIONS and the embedding of the whole cohort.
    output
        The FCS file written (3.1, float32).
    provenance
        Its ``rule`` is written as keyword.
    names, corner
        All populations of the cohort, and the least values of its map, where the caller has read them already.
    """
    header = read_header(fcs)
    ids, _ = read_names(cells)
    prefix = sample_of(ids[0]) if ids else ""
    found = _rows_of(populations, prefix, ["cell", "cluster", "population", "confidence"])
    place = _rows_of(umap, prefix, ["cell", "umap1", "umap2"])
    table = found.merge(place, on="cell", how="left", validate="one_to_one")
    codes = {name: i for i, name in enumerate(population_names(populations) if names is None else names, 1)}
    rows = table["cell"].map(event_of).astype(np.int64).to_numpy()
    nk = np.array([int(event_of(i)) for i in ids], dtype=np.int64)
    added = np.zeros((header.n_events, len(ADDED)), np.float32)
    added[nk, 0] = 1
    added[rows, 1] = table["population"].astype(str).map(codes).to_numpy(dtype=np.float32)
    added[rows, 2] = table["confidence"].to_numpy(dtype=np.float32)
    added[rows, 3] = table["cluster"].to_numpy(dtype=np.float32) + 1
    least = lowest_place(umap) if corner is None else corner
    for column, axis, low in ((4, "umap1", least[0]), (5, "umap2", least[1])):
        aside = np.floor(low - ASIDE)
        values = table[axis].to_numpy(dtype=np.float32)
        added[:, column] = aside
        added[rows, column] = np.where(np.isnan(values), np.float32(aside), values)
    keywords: dict[str, object] = {k: v for k, v in sorted(header.text.items()) if not OWN.fullmatch(k)}
    keywords |= {f"CIMLNK_POPULATION_{i}": name for name, i in codes.items()}
    keywords["CIMLNK_RULE"] = provenance.get("rule")
    # programs find a workspace's file by $FIL: with the instrument's name of it they would find none
    keywords["CIMLNK_ACQUIRED_AS"], keywords["$FIL"] = header.text.get("$FIL"), Path(output).name
    legend = " ".join(f"{i}={name}" for name, i in codes.items())
    markers = [*header.markers, "NK cell", legend, "confidence of the population", "cluster + 1", "UMAP 1", "UMAP 2"]
    events: NDArray[np.floating] = np.concatenate([np.asarray(read_events(header), np.float32), added], axis=1)
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    write_fcs(
        output,
        events,
        [*header.channels, *ADDED],
        markers=markers,
        metadata=keywords,
        big_endian=header.layout.order == ">",
    )
    return Written(header, events, codes)


def _rows_of(path: str | Path, sample: str, columns: list[str]) -> pd.DataFrame:
    """The rows of one sample in a cohort-wide table keyed by cell id, without loading the others."""
    import pyarrow.compute as pc
    import pyarrow.dataset as ds

    table = ds.dataset(path, format="parquet").to_table(
        columns=columns, filter=pc.starts_with(ds.field("cell"), f"{sample}:")
    )
    return table.to_pandas()


def population_names(path: str | Path) -> list[str]:
    """All populations of the cohort, in alphabetical order."""
    return sorted(set(pd.read_parquet(path, columns=["population"])["population"].astype(str)))


def lowest_place(umap: str | Path) -> tuple[float, float]:
    """Least value of both axes of the map; 5 where there is no map, so that what stands aside lies at 0."""
    table = pd.read_parquet(umap, columns=["umap1", "umap2"])
    return (float(table["umap1"].min()), float(table["umap2"].min())) if len(table) else (ASIDE, ASIDE)
