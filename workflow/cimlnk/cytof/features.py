"""The matrix for the neighbour graph: all samples' NK cells × clustering markers, streamed sample by sample."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.cohort.words import count
from cimlnk.common.errors import Plain, UserError
from cimlnk.common.job import keep_going
from cimlnk.common.tables import write_table

from .h5ad import iterate_x, read_names, read_record
from .lineage.markers import LINEAGES
from .tables import CELLS, LINEAGE_COUNTS, SUMMARY

log = logging.getLogger("cimlnk.cytof")

BINS = 8192  # of the histograms that give the quantiles; a bin is far below the noise of a measurement


def make_features(
    *,
    cells: Sequence[str | Path],
    sample_names: Sequence[str],
    settings: Mapping[str, Any],
    summary: str | Path,
    cell_table: str | Path,
    features: str | Path,
    report: str | Path,
    lineages: str | Path | None = None,
    provenance: Mapping[str, Any],
    others: bool = False,
) -> None:
    """Write the features of all NK cells, and what they are.

    Writes `summary` (SUMMARY, one row per sample in the order given, left-out samples included), `cell_table` (CELLS;
    row i describes row i of the features), `features` (float32 cells × markers ``.npy``), `report` (JSON: markers,
    winsor limits, scaling, alignment, provenance) and `lineages` (LINEAGE_COUNTS). Every sample is read twice in
    blocks; memory stays at one block.

    Parameters
    ----------
    cells, sample_names
        Per-sample h5ad files of :func:`cimlnk.cytof.cells.make_cells` and their sample ids, in the same order.
    settings
        The config's section `cytof`: `features.winsor` (quantile over all cells) and `features.scale`.
    others
        Whether the cohort has another modality, which goes on under ``--keep-going`` where this one has no cells.

    Raises
    ------
    UserError
        If no sample has NK cells (but see `others`: the tables have no rows then), or the samples share no marker with
        ``cluster: yes`` in the panel.
    """
    records = [read_record(p) for p in cells]
    summed = summary_table(sample_names, records)
    have = (~summed["left_out"] & (summed["n_nk"] > 0)).tolist()  # no NK cell may be what was counted
    usable = [(s, p) for s, p, any_cell in zip(sample_names, cells, have, strict=True) if any_cell]
    if not usable and not (others and keep_going()):
        # each was told when its file was left out
        reasons = sorted({str(r.get("reason") or "0 NK cells among the lymphocytes") for r in records})
        more = f"; and {len(reasons) - 1} more, told above" if len(reasons) > 1 else ""
        found = f"none in {count(len(records), 'sample')} ({reasons[0]}{more})"
        raise UserError("cytof samples", "NK cells", Plain(found), "at least one")
    names: list[str] = []
    owner: list[str] = []
    markers: list[str] | None = None
    for sample, path in usable:
        ids, var = read_names(path)
        names += ids
        owner += [sample] * len(ids)
        wanted = var.index[var["cluster"].astype(bool)].tolist()
        markers = wanted if markers is None else [m for m in markers if m in wanted]
    if usable and not markers:
        raise UserError("panel", "column cluster", Plain("no marker with yes"), "at least one marker for the graph")
    markers = markers or []
    blocks = _Blocks(usable, markers)
    limits = _limits(blocks, len(markers), settings["features"]) if usable else [np.zeros(0)] * 4
    low, high, centre, spread = limits
    path = Path(features)
    path.parent.mkdir(parents=True, exist_ok=True)
    matrix = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(len(names), len(markers)))
    if hasattr(os, "posix_fallocate"):  # a mapped file on a full disk ends the process without a word (SIGBUS)
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
    at = 0
    for block in blocks:
        matrix[at : at + len(block)] = (np.clip(block, low, high) - centre) / spread
        at += len(block)
    matrix.flush()
    del matrix
    write_table(pd.DataFrame({"cell": names, "sample": owner}), cell_table, CELLS, provenance=provenance)
    write_table(summed, summary, SUMMARY, provenance=provenance)
    if lineages is not None:
        write_table(lineage_table(sample_names, records), lineages, LINEAGE_COUNTS, provenance=provenance)
    content = {
        "features": markers,
        "n_cells": len(names),
        "scale": settings["features"]["scale"],
        "winsor": settings["features"]["winsor"],
        "low": [float(v) for v in low],
        "high": [float(v) for v in high],
        "centre": [float(v) for v in centre],
        "spread": [float(v) for v in spread],
        "integration": integration(records),
        "lymphocytes": {s: r.get("lymphocytes") for s, r in zip(sample_names, records, strict=True)},
        "notes": {s: r["notes"] for s, r in zip(sample_names, records, strict=True) if r.get("notes")},
        "instruments": {s: r["instrument"] for s, r in zip(sample_names, records, strict=True) if r.get("instrument")},
        "flags": {s: r["flags"] for s, r in zip(sample_names, records, strict=True) if r.get("flags")},
        "provenance": dict(provenance),
    }
    Path(report).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    log.info("%d cells x %d markers of %d samples", len(names), len(markers), len(usable))


def summary_table(sample_names: Sequence[str], records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """SUMMARY from the records inside the sample files."""
    rows = []
    for sample, record in zip(sample_names, records, strict=True):
        counts = record.get("summary") or {"n_events": 0, "n_live_singlets": 0, "n_nk": 0}
        row = {"sample": sample, "left_out": bool(record.get("left_out", True)), "reason": record.get("reason")}
        for column in ("n_events", "n_live_singlets", "n_nk"):
            row[column] = int(counts[column])
        for column in ("n_lymphocytes", "n_nk_low", "n_nk_high", "n_nk_lineage", "n_nk_gates", "qc_score"):
            value = counts.get(column)
            row[column] = float("nan") if value is None else float(value)
        rows.append(row)
    return SUMMARY.check(pd.DataFrame(rows))


def lineage_table(sample_names: Sequence[str], records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """LINEAGE_COUNTS from the records inside the sample files; samples without lineages have no rows."""
    rows = []
    for sample, record in zip(sample_names, records, strict=True):
        said = record.get("lineages") or {}
        for name in LINEAGES if said else ():
            gates, sure = said["n_gates"], said["confidence"][name]
            rows.append(
                {
                    "sample": sample,
                    "lineage": name,
                    "n_cells": int(said["counts"][name]),
                    "confidence": float("nan") if sure is None else float(sure),
                    "n_nk_lineage": float(said["n_lineage"]),
                    "n_nk_gates": float("nan") if gates is None else float(gates),
                    "reason": "; ".join(said["limits"]) or None,
                }
            )
    return LINEAGE_COUNTS.check(pd.DataFrame(rows)) if rows else LINEAGE_COUNTS.empty()


def integration(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Whether batches were aligned, from what the alignment left in the sample files."""
    aligned = [r["alignment"] for r in records if r.get("alignment")]
    if not aligned:
        return {"applied": False, "reason": "cytof.alignment is not enabled"}
    return {"applied": True, "method": "quantiles per metacluster", "markers": list(aligned[0]["markers"])}


class _Blocks:
    """The samples' blocks of cells × markers; can be gone through again."""

    def __init__(self, usable: Sequence[tuple[str, str | Path]], markers: list[str]) -> None:
        self.usable, self.markers = usable, markers

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for _, path in self.usable:
            yield from iterate_x(path, self.markers)


def _limits(
    blocks: _Blocks, d: int, settings: Mapping[str, Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Winsor limits, centre and spread per marker, from one pass with fixed-range histograms."""
    edges = np.linspace(-4.0, 14.0, BINS + 1)  # arcsinh scale; scaled input (0-1) lies well inside
    width = edges[1] - edges[0]
    counts = np.zeros((d, BINS))
    for block in blocks:
        cell = np.clip(((block - edges[0]) / width).astype(np.int64), 0, BINS - 1)
        for j in range(d):
            counts[j] += np.bincount(cell[:, j], minlength=BINS)
    share = np.cumsum(counts, axis=1) / counts.sum(axis=1, keepdims=True)
    winsor = float(settings["winsor"])
    high = np.array([edges[1 + np.searchsorted(s, winsor)] if winsor < 1 else np.inf for s in share])
    low = np.array([edges[np.searchsorted(s, 1 - winsor, side="right")] if winsor < 1 else -np.inf for s in share])
    middle = (edges[:-1] + edges[1:]) / 2
    centre, spread = np.zeros(d), np.ones(d)
    clipped = np.clip(middle[None, :], low[:, None], high[:, None])
    weight = counts / counts.sum(axis=1, keepdims=True)
    if settings["scale"] == "zscore":
        centre = (weight * clipped).sum(axis=1)
        spread = np.sqrt((weight * (clipped - centre[:, None]) ** 2).sum(axis=1))
    elif settings["scale"] == "range":
        occupied = [np.flatnonzero(c)[[0, -1]] for c in counts]
        centre = np.array([clipped[j, o[0]] for j, o in enumerate(occupied)])
        spread = np.array([clipped[j, o[1]] for j, o in enumerate(occupied)]) - centre
    spread = np.where(spread > 1e-6, spread, 1.0)
    return low.astype(np.float32), high.astype(np.float32), centre.astype(np.float32), spread.astype(np.float32)
