"""Batch alignment of a cohort's samples: fit on some, apply to every one, compare before with after."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.json import write_json
from cimlnk.common.tables import Schema, write_table
from cimlnk.cytof.h5ad import CHUNK_ROWS, iterate_x, read_names, read_record

from .design import check_design
from .distance import marker_distances, sample_distances, summarise_distances
from .figure import draw_alignment
from .model import fit_alignment, load_alignment

log = logging.getLogger("cimlnk.cytof.alignment")

DISTANCES = Schema(
    "alignment_distances",
    {
        "sample_1": ("str", "first sample"),
        "sample_2": ("str", "second sample"),
        "kind": ("str", "anchor, same batch or other batch"),
        "before": ("float", "mean earth mover's distance over markers, analysis scale"),
        "after": ("float", "the same after alignment"),
    },
)


def training_samples(samples: pd.DataFrame, settings: Mapping[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """The samples an alignment is fitted on, and the covariates it keeps.

    With ``settings["anchors"]`` these are the anchors and their identity (column ``settings["anchor_identity"]``);
    without, all samples and the columns ``settings["keep"]``.

    Raises
    ------
    UserError
        For anchors or columns that are not in the sheet, an empty batch, or a design that does not identify the batch
        effects; nothing has to be read for that, so a workflow can ask before it runs.
    """
    problems = Problems()
    anchors = [str(a) for a in settings["anchors"]]
    where = "config cytof.alignment"
    for a in anchors:
        if a not in samples.index:
            problems.add("sample sheet", f"{where}.anchors", a, "a sample of the sheet", samples.index)
    columns = [settings["anchor_identity"]] if anchors else list(settings["keep"])
    for c in columns:
        if c not in samples.columns:
            key = "anchor_identity" if anchors else "keep"
            problems.add("sample sheet", f"{where}.{key}", c, "a column of the sheet", samples.columns)
    problems.raise_if_any()
    used = anchors or [str(s) for s in samples.index]
    table = samples.loc[used]
    kept = {c: [str(v) for v in table[c]] for c in columns}
    check_design([str(b) for b in table["batch"]], kept, "the anchors" if anchors else "the samples")
    return used, kept


def fit_files(
    files: Mapping[str, str | Path],
    samples: pd.DataFrame,
    model: str | Path,
    *,
    settings: Mapping[str, Any],
    seed: int = 0,
) -> None:
    """Fit the maps on the training samples' cells.

    Parameters
    ----------
    files
        h5ad file of each training sample (``X`` on the analysis scale); samples left out before are skipped.
    samples
        The sheet (index sample; columns batch and those of :func:`training_samples`), further samples are skipped.
    model
        .npz written.
    settings
        The section `cytof.alignment` of the config.

    Raises
    ------
    UserError
        If the design does not identify the batch effects once samples without cells are gone, or the samples have no
        marker in common.
    """
    used, kept = training_samples(samples.loc[[s for s in samples.index if s in files]], settings)
    cells = {s: read_cells(files[s]) for s in used}
    filled = [s for s in used if len(cells[s])]
    if not filled:
        raise UserError(files[used[0]], "training samples", Plain("no cells in any"), "NK cells to align")
    markers = common_markers({s: cells[s] for s in filled}, settings["markers"])
    stacked = np.vstack([dense(cells[s], markers) for s in filled])
    sample = np.repeat(np.arange(len(filled)), [len(cells[s]) for s in filled])
    rows = [used.index(s) for s in filled]
    fitted = fit_alignment(
        stacked,
        sample,
        [str(b) for b in samples.loc[filled, "batch"]],
        kept={name: [values[i] for i in rows] for name, values in kept.items()},
        markers=markers,
        metaclusters=int(settings["metaclusters"]),
        minimum=int(settings["minimum_cells"]),
        seed=seed,
        what="the anchors" if settings["anchors"] else "the samples",
    )
    fitted.save(model)
    log.info("%d of %d metaclusters have maps of their own", fitted.own.sum(), len(fitted.own))


def align_file(
    cells: str | Path,
    model: str | Path,
    aligned: str | Path,
    *,
    batch: str,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write a sample's cells with aligned markers, block by block.

    The file is a copy of `cells` in which ``X`` holds the aligned values, ``layers["unaligned"]`` the ones before, and
    ``uns["cimlnk"]`` gains `alignment`; other markers, layers and columns are as they were. A sample without cells is
    passed on.

    Raises
    ------
    UserError
        If the sample lacks a marker of the alignment, or its batch had no training sample.
    """
    import h5py

    fitted = load_alignment(model)
    _, var = read_names(cells)
    missing = [m for m in fitted.markers if m not in var.index]
    record = read_record(cells)
    Path(aligned).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(cells, aligned)
    with h5py.File(aligned, "r+") as f:
        x = f["X"]
        if x.shape[0]:
            if missing:
                raise UserError(cells, "markers", Plain("no " + ", ".join(missing)), "the markers of the alignment")
            f.copy("X", f["layers"], name="unaligned")
            place = var.index.get_indexer(list(fitted.markers))
            for start in range(0, x.shape[0], CHUNK_ROWS):
                block = x[start : start + CHUNK_ROWS]
                block[:, place] = fitted.apply(block[:, place], str(batch), cells)
                x[start : start + CHUNK_ROWS] = block
        record["alignment"] = {"applied": True, "batch": str(batch), "markers": list(fitted.markers)}
        record["alignment"]["provenance"] = dict(provenance or {})
        attributes = dict(f["uns/cimlnk"].attrs)
        del f["uns/cimlnk"]
        node = f["uns"].create_dataset(
            "cimlnk", data=json.dumps(record, sort_keys=True), dtype=h5py.string_dtype(), track_times=False
        )
        node.attrs.update(attributes)


def compare_files(
    before: Mapping[str, str | Path],
    after: Mapping[str, str | Path],
    samples: pd.DataFrame,
    *,
    distances: str | Path,
    summary: str | Path,
    figure: str | Path,
    settings: Mapping[str, Any],
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Distances of samples before and after: shrunk between batches for anchors, kept within batches for the others.

    Writes the table DISTANCES, a JSON summary and the figure. Samples without cells are left out.
    """
    old = {s: read_cells(p) for s, p in before.items()}
    names = [s for s in before if len(old[s])]
    markers = common_markers({s: old[s] for s in names}, settings["markers"])
    x = [dense(old[s], markers) for s in names]
    y = [dense(read_cells(after[s]), markers) for s in names]
    batch = [str(b) for b in samples.loc[names, "batch"]]
    identity = [str(v) for v in samples.loc[names, settings["anchor_identity"]]]
    anchors = np.isin(names, [str(a) for a in settings["anchors"]])
    d0, d1 = sample_distances(x), sample_distances(y)
    rows = []
    for i in range(len(names)):
        for j in range(i + 1, len(names)):
            anchor_pair = anchors[i] and anchors[j] and identity[i] == identity[j] and batch[i] != batch[j]
            kind = "anchor" if anchor_pair else "same batch" if batch[i] == batch[j] else "other batch"
            rows.append((names[i], names[j], kind, d0[i, j], d1[i, j]))
    table = pd.DataFrame(rows, columns=list(DISTANCES.columns))
    write_table(table, distances, DISTANCES, provenance=provenance)
    content: dict[str, Any] = {"markers": markers, "samples": names, "provenance": dict(provenance or {})}
    for kind, part in table.groupby("kind"):
        content[str(kind).replace(" ", "_")] = {"before": part["before"].mean(), "after": part["after"].mean()}
    if anchors.any():
        a = np.flatnonzero(anchors)
        for when, d in (("before", d0), ("after", d1)):
            content[f"anchors_{when}"] = summarise_distances(
                d[np.ix_(a, a)], [batch[i] for i in a], [identity[i] for i in a]
            )
    write_json(summary, content)
    pairs = [(i, j) for i in range(len(names)) for j in range(i) if batch[i] != batch[j]]
    anchor_pairs = [p for p in pairs if anchors[p[0]] and anchors[p[1]] and identity[p[0]] == identity[p[1]]]
    by_marker = marker_distances(x, y, markers, pairs=anchor_pairs or pairs) if pairs else None
    labels = [f"{n} ({b})" for n, b in zip(names, batch, strict=True)]
    draw_alignment(figure, labels, batch, before=d0, after=d1, pairs=table, markers=by_marker)


def read_cells(path: str | Path) -> pd.DataFrame:
    """``X`` of a sample as a data frame, cells × markers; no rows if the sample was left out."""
    ids, var = read_names(path)
    markers = list(var.index)
    blocks = list(iterate_x(path, markers))
    return pd.DataFrame(np.vstack(blocks) if blocks else np.empty((0, len(markers))), index=ids, columns=markers)


def common_markers(cells: Mapping[str, pd.DataFrame], wanted: Sequence[str]) -> list[str]:
    """The markers asked for, or all that every sample has, in the order of the first sample."""
    first = next(iter(cells.values()))
    shared = [m for m in first.columns if all(m in c.columns for c in cells.values())]
    problems = Problems()
    for m in wanted:
        if m not in shared:
            problems.add("config", "cytof.alignment.markers", m, "a marker all samples have", shared)
    if not shared:
        problems.add("samples", "markers", Plain("none in common"), "markers that all samples have")
    problems.raise_if_any()
    return list(wanted) or shared


def dense(cells: pd.DataFrame, markers: Sequence[str]) -> npt.NDArray[np.float64]:
    """The chosen markers as float64, cells × markers."""
    return np.asarray(cells[list(markers)], dtype=np.float64)
