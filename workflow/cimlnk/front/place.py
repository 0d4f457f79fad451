"""Place cells of new samples on a finished clustering of mass cytometry, and write the widened tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.cohort.save import placeless_samples
from cimlnk.cohort.sheets import Cohort
from cimlnk.cohort.tables import COUNTS, PATIENTS, SAMPLES
from cimlnk.common.errors import Plain, UserError
from cimlnk.common.home import locate
from cimlnk.common.provenance import provenance
from cimlnk.common.tables import read_table, write_appended, write_table
from cimlnk.cytof.features import summary_table
from cimlnk.cytof.h5ad import iterate_x, read_names, read_record
from cimlnk.cytof.tables import CELLS, SUMMARY
from cimlnk.dynamics.abundance.run import write_abundance
from cimlnk.graph.result import read_rows
from cimlnk.graph.sketching import NEAREST, Extension, extend, vote
from cimlnk.graph.tables import CLUSTERS, UMAP
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.load import columns_or_nan, variables
from cimlnk.populations.positivity import Reference, protein_thresholds
from cimlnk.populations.tables import POPULATIONS, THRESHOLDS

from .added import ADDED, added
from .clock import Clock
from .far import by_chance
from .name_added import Earlier, NamedCells, name_added
from .shift import Profiles, Shift, shifts
from .voices import hear, worth_hearing


class Placed(NamedTuple):
    """ADDED; what else is strange about a sample, in words; and what the clusterings with the new cells say of the
    earlier ones (share named otherwise, and between two of them), None with the reason where none was made."""

    table: pd.DataFrame
    strange: dict[str, list[str]]
    otherwise: float | None
    apart: float | None
    reason: str | None


class Said(NamedTuple):
    """The last three of :class:`Placed`."""

    otherwise: float | None
    apart: float | None
    reason: str | None


def place(
    earlier: Path, files: Mapping[str, Path], cohort: Cohort, *, cfg: Mapping[str, Any], out: Path, seed: int,
    base: Path = Path(),
) -> Placed:  # fmt: skip
    """Place the cells of `files` on the clusters of `earlier`, name them, and write both together below `out`.

    ``cytof/{cells,clusters,populations,summary,umap}.parquet``, ``dynamics/{abundance,folds}.parquet`` and the sheets
    hold the earlier rows as they were and the new ones behind them; ``cytof/added.parquet`` is ADDED. A new cell's
    cluster is that of its nearest earlier cells; its population is what most of three voices say: its own markers on
    the earlier clusters, and two clusterings with the new cells (:mod:`.voices`; not where a large run gets few new
    cells: its own markers alone then). Where a person renamed cells of the earlier run, the nearest cells alone
    decide. A sample without NK cells is left out; the summary has the reason. ``benchmarks/add.tsv`` has the times.

    Raises
    ------
    UserError
        If no new sample has an NK cell, or one lacks a marker of the clustering.
    """
    clock = Clock()
    about = json.loads((earlier / "cytof/features.json").read_text(encoding="utf-8"))
    clusters = read_table(earlier / "cytof/clusters.parquet", columns=["cluster", "confidence"])
    own = ["sample", "population"]
    populations = read_table(earlier / "cytof/populations.parquet", columns=[*own, "confidence"], categories=own)
    records = {sample: read_record(path) for sample, path in files.items()}
    parts, matrices, unusable = [], [], []
    for sample, path in files.items():
        ids, var = read_names(path)
        if not ids:
            unusable.append(f"{sample}: {records[sample].get('reason') or 'no NK cells'}")
            continue
        values = new_features(path, sample, var, about=about)
        parts.append(pd.DataFrame({"cell": ids, "sample": sample}))
        matrices.append(values)
    if not parts:
        raise UserError("new samples", "NK cells", Plain("; ".join(unusable)), "a sample with NK cells")
    new, X = pd.concat(parts, ignore_index=True), np.concatenate(matrices)
    with np.load(earlier / "cytof/graph.npz") as saved:
        lists, reach, rows = saved["indices"], saved["distances"], saved["rows"]
    base_cells = clusters.iloc[rows].reset_index(drop=True)  # all, or the sketch
    k = lists.shape[1]
    found = extend(
        read_rows(earlier / "cytof/features.npy", rows), base_cells["cluster"].to_numpy(np.int32), X,
        confidence=base_cells["confidence"].fillna(0.0).to_numpy(np.float32), reach=reach[:, -1], k=k, seed=seed,
    )  # fmt: skip
    names = populations["population"].to_numpy(dtype=object)[rows]
    codes, vocabulary = pd.factorize(names, sort=True)
    sure = populations["confidence"].fillna(0.0).to_numpy(np.float32)[rows]
    nearest, confidence = vote(found.indices, found.distances, codes.astype(np.int32), confidence=sure)
    new = new.assign(cluster=found.labels, confidence=found.confidence, strangeness=found.strangeness)
    new["nearest"] = vocabulary[nearest]
    clock.lap("clusters")
    if len(read_table(earlier / "cytof/overridden.parquet")):
        why = "names of the earlier run were given by hand: populations are those of the nearest earlier cells"
        by_markers, heard = NamedCells(new["nearest"].to_numpy(dtype=object), confidence), Said(None, None, why)
    else:
        known_cells = Earlier(lists, base_cells["cluster"].to_numpy(np.int32), names)
        by_markers, heard = _named(
            earlier, files, known=known_cells, samples=populations["sample"], rows=rows, X=X,
            found=found, new=new, cohort=cohort, cfg=cfg, out=out, base=base, seed=seed,
        )  # fmt: skip
    clock.lap("names")
    new["population"] = by_markers.population
    named = new[["cell", "sample", "cluster", "population"]].assign(confidence=by_markers.confidence)
    record = provenance("add", {"earlier": earlier.name, "samples": list(files)}, [])
    summary = read_table(earlier / "cytof/summary.parquet", SUMMARY)
    summary = pd.concat([summary, summary_table(list(files), list(records.values()))], ignore_index=True)
    write_table(summary, out / "cytof/summary.parquet", SUMMARY, provenance=record)
    tables = [("cells", CELLS, new), ("clusters", CLUSTERS, new), ("populations", POPULATIONS, named)]
    if (earlier / "cytof/umap.parquet").is_file():
        drawn = read_table(earlier / "cytof/umap.parquet", columns=["umap1", "umap2"])
        tables.append(("umap", UMAP, new[["cell"]].assign(**_points(found, drawn.iloc[rows]))))
    for name, schema, more in tables:
        file = f"cytof/{name}.parquet"
        write_appended(earlier / file, more, out / file, schema=schema, provenance=record)
    clock.lap("tables")
    sheets = (("samples", SAMPLES), ("counts", COUNTS), ("patients", PATIENTS))
    written = {"samples": placeless_samples(cohort), "counts": cohort.counts, "patients": cohort.patients}
    if (earlier / "cohort/samples.parquet").is_file():  # what told earlier files apart may not tell them from new ones
        places = read_table(earlier / "cohort/samples.parquet", SAMPLES).set_index("sample")["path"]
        written["samples"]["path"] = written["samples"]["sample"].map(places).fillna(written["samples"]["path"])
    for name, schema in sheets:
        write_table(written[name], out / f"cohort/{name}.parquet", schema, provenance=record)
    write_abundance(
        populations=[out / "cytof/populations.parquet"],
        summaries=[out / "cytof/summary.parquet"],
        modalities=["cytof"],
        samples=out / "cohort/samples.parquet",
        counts=out / "cohort/counts.parquet",
        patients=out / "cohort/patients.parquet",
        baseline_timepoint=cfg["dynamics"]["baseline_timepoint"],
        uncertainty=cfg["dynamics"]["uncertainty"],
        few_cells=cfg["dynamics"]["few_cells"],
        abundance=out / "dynamics/abundance.parquet",
        folds=out / "dynamics/folds.parquet",
        provenance=record,
    )
    clock.lap("abundance")
    measured = _shifts(out / "cytof/lineages.npz", list(new["sample"].unique()), cohort)
    chance = by_chance(reach[:, -1], base_cells["cluster"].to_numpy(np.int32))
    table = added(new.assign(confidence=named["confidence"]), measured, chance=chance)
    write_table(table, out / "cytof/added.parquet", ADDED, provenance=record)
    clock.lap("strangeness")
    clock.write(out / "benchmarks/add.tsv")
    strange = {s: m.strange for s, m in measured.items() if m.strange}
    return Placed(table, strange, *heard)


def _points(found: Extension, known: pd.DataFrame) -> dict[str, NDArray[np.float32]]:
    """Places of new cells in the earlier picture: the weighted mean of their nearest cells'."""
    near, far = found.indices[:, :NEAREST], found.distances[:, :NEAREST]
    weight = 1.0 / (far + 1e-6)
    weight /= weight.sum(axis=1, keepdims=True)
    return {axis: np.einsum("nk,nk->n", weight, known[axis].to_numpy(np.float32)[near]).astype(np.float32)
            for axis in ("umap1", "umap2")}  # fmt: skip


def _named(
    earlier: Path,
    files: Mapping[str, Path],
    *,
    known: Earlier,
    samples: pd.Series,
    rows: NDArray[np.int64],
    X: NDArray[np.float32],
    found: Extension,
    new: pd.DataFrame,
    cohort: Cohort,
    cfg: Mapping[str, Any],
    out: Path,
    base: Path,
    seed: int,
) -> tuple[NamedCells, Said]:
    """Names of the new cells by the thresholds of the earlier run (of a new batch, by its own).

    `samples` are those of all earlier cells, as categories.
    """
    codes, names = pd.factorize(samples)
    more_codes, more_names = pd.factorize(new["sample"])
    codes, names = np.concatenate([codes, more_codes + len(names)]), [*names, *more_names]
    starts = np.searchsorted(codes, np.arange(len(names)))  # the rows of a sample lie together, in its file's order
    paths = [files.get(s, earlier / f"cytof/samples/{s}.h5ad") for s in names]
    batches = cohort.samples.set_index("sample")["batch"].astype(str).reindex(names).to_numpy(dtype=str)
    batch = batches[codes]
    cuts = read_table(earlier / "cytof/thresholds.parquet", THRESHOLDS)
    features = list(dict.fromkeys(cuts["feature"]))

    def values(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        picked = np.empty((len(rows), len(features)), np.float32)
        ends = np.searchsorted(rows, [*starts, len(codes)])  # they ascend
        for code, (a, b) in enumerate(pairwise(ends)):
            if a < b:
                picked[a:b] = columns_or_nan(paths[code], features)[rows[a:b] - starts[code]]
        return picked

    unknown = sorted(set(batches) - set(cuts["batch"].astype(str)))
    if unknown:
        there = np.flatnonzero(np.isin(batch, unknown))
        reference = out / "cytof/lineages.npz"
        given = cohort.panel.dropna(subset=["threshold"]).set_index("marker")["threshold"]
        more = protein_thresholds(
            values(there), features, batch[there], samples=np.array(names, object)[codes[there]],
            cofactors=variables(list(files.values()), "cofactor"),
            reference=Reference.read(reference) if reference.is_file() else None, panel=given.to_dict(), seed=seed,
        )  # fmt: skip
        cuts = pd.concat([cuts, more], ignore_index=True)
    infused = (cohort.samples["tissue_or_product"] == "product").any() or (
        cohort.samples["arm"] == cfg["claims"]["arms"]["treated"]
    ).any()
    definitions = load_definitions(locate(cfg["populations"]["cytof"]["definitions"], base), infused=bool(infused))
    picked = np.concatenate([rows, np.arange(len(codes) - len(X), len(codes))])
    read = values(picked)
    named = name_added(
        known, X, found, values=read, features=features, batch=batch[picked], thresholds=cuts,
        definitions=definitions, seed=seed,
    )  # fmt: skip
    resolution = json.loads((earlier / "cytof/clustering.json").read_text(encoding="utf-8"))["resolution"]
    if resolution is None:
        return named, Said(None, None, "the earlier run has too few cells to cluster")
    if not worth_hearing(len(rows), len(X)):
        share = len(X) / (len(rows) + len(X))
        why = (
            f"the new cells are {share:.0%} of all: the earlier clusters decide; whether these move them was not tried"
        )
        return named, Said(None, None, why)
    heard = hear(
        read_rows(earlier / "cytof/features.npy", rows), known.names, X, first=named.population, values=read,
        features=features, batch=batch[picked], thresholds=cuts, definitions=definitions, resolution=float(resolution),
        settings=cfg["graph"], seed=seed,
    )  # fmt: skip
    return NamedCells(heard.population, named.confidence * heard.share), Said(heard.otherwise, heard.apart, None)


def _shifts(lineages: Path, new: list[str], cohort: Cohort) -> dict[str, Shift]:
    """Signal and exchanged markers of every new sample."""
    if not lineages.is_file():
        why = "no lineages: the gates were drawn by hand or decide alone"
        return {s: Shift(float("nan"), None, float("nan"), why) for s in new}
    kinds = (cohort.samples.set_index("sample")["tissue_or_product"] == "product").to_dict()
    return shifts(Profiles.read(lineages), new, kinds)


def all_markers(n: int) -> str:
    """What is expected of a sample that lacks one of the `n` markers of the clustering."""
    return f"all {n} markers the cells were clustered by: put it into the sheet of all samples and run that again"


def new_features(path: Path, sample: str, var: pd.DataFrame, *, about: Mapping[str, Any]) -> NDArray[np.float32]:
    """Features of a new sample with the markers `var`, cut and scaled as those of the earlier run were."""
    lacking = [m for m in about["features"] if m not in var.index]
    if lacking:
        raise UserError(sample, "markers", Plain(f"no {', '.join(lacking)}"), all_markers(len(about["features"])))
    low, high, centre, spread = (np.asarray(about[k], np.float32) for k in ("low", "high", "centre", "spread"))
    values = np.vstack(list(iterate_x(path, about["features"])))
    return ((np.clip(values, low, high) - centre) / spread).astype(np.float32)
