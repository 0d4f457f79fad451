"""From all samples' NK cells to one matrix for the neighbour graph."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.job import keep_going
from cimlnk.common.tables import read_table, write_table

from .components import components, standardise
from .files import SampleFile, inspect, log_counts, matrices, shared_genes, summarise
from .genes import family, load_lineages
from .integrate import harmonise
from .normalise import TARGET
from .tables import CELLS, SUMMARY
from .variable import POOLED_KIR, choose_genes, excess_variance, moments

LOG = logging.getLogger("cimlnk.rna.features")


def make_features(
    *,
    cells: Sequence[str],
    samples: str,
    lineages: str,
    definitions: str,
    settings: Mapping[str, Any],
    seed: int,
    summary: str,
    cell_table: str,
    features: str,
    report: str,
    provenance: Mapping[str, Any],
    others: bool = False,
) -> None:
    """Write the features of all NK cells, and what they are.

    Writes `summary` (SUMMARY, one row per sample), `cell_table` (CELLS; row i describes row i of the features),
    `features` (float32 n x d ``.npy``) and `report` (JSON: genes shared and missing, genes chosen and excluded,
    components, integration, ambient RNA and doublets per sample, provenance).

    Parameters
    ----------
    cells
        Per-sample h5ad files of :func:`cimlnk.rna.cells.make_cells`.
    samples
        Table SAMPLES.
    lineages, definitions
        Marker table and population signatures (whose genes are always features).
    settings
        Section ``rna`` of the config.
    seed
        The cohort's seed.
    others
        Whether the cohort has another modality, which goes on under ``--keep-going`` where this one has no cells.

    Raises
    ------
    UserError
        If no sample can be used (but see `others`: the tables have no rows then), or the samples share too few genes.
    """
    files = sorted((inspect(p) for p in cells), key=lambda f: f.sample)
    usable = [f for f in files if f.usable]
    if not usable:
        if not (others and keep_going()):
            raise UserError("rna", "samples", Plain(f"none of {len(files)} can be used"), "at least one usable sample")
        _write_nothing(files, summary, cell_table, features=features, report=report, provenance=provenance)
        return
    sheet = read_table(samples).set_index("sample", drop=False)
    known = load_lineages(lineages)
    genes, gene_report = shared_genes(usable, settings["features"]["min_common_genes"])
    key = settings["integrate"]["key"]
    if key not in sheet:
        raise UserError("sample sheet", "columns", key, "the column named by rna.integrate.key", sheet.columns)
    batch_of = sheet[key].astype(str)
    excess = excess_variance(moments((batch_of[f.sample], log_counts(m)) for f, m in matrices(usable, genes)))
    choice = choose_genes(genes, excess, settings["features"], known=known, wanted=defining_genes(definitions))
    x, names = _dense(usable, genes, choice, kir=settings["features"]["kir"])
    found = components(standardise(x), settings["features"]["n_components"])
    sample_of = np.repeat([f.sample for f in usable], [len(f.cells) for f in usable])
    verdict = design_verdict(sheet.loc[[f.sample for f in usable]], key)
    corrected, integration = harmonise(
        found.scores, sample_of, sheet, settings=settings["integrate"], verdict=verdict, seed=seed
    )
    Path(features).parent.mkdir(parents=True, exist_ok=True)
    np.save(features, corrected.astype(np.float32))
    table = pd.DataFrame({"cell": np.concatenate([f.cells for f in usable]), "sample": sample_of})
    write_table(table, cell_table, CELLS, provenance=provenance)
    write_table(summarise(files), summary, SUMMARY, provenance=provenance)
    record: dict[str, Any] = {
        "names": [f"PC{i + 1}" for i in range(corrected.shape[1])],
        "scaling": "log1p of counts per 10,000; standard scores per gene clipped at 10; principal components",
        "n_cells": len(table),
        "genes": gene_report,
        "features": {
            "chosen": names,
            "excluded": {str(k): int(n) for k, n in choice["excluded"].dropna().value_counts().sort_index().items()},
            "kir": settings["features"]["kir"],
        },
        "eigenvalues": [round(float(v), 6) for v in found.eigenvalues],
        "noise_limit": round(found.noise_limit, 6),
        "integration": integration,
        "samples": {
            f.sample: {k: f.record[k] for k in ("found", "notes", "ambient", "doublets", "lineages")}
            if f.usable
            else {"left_out": f.record["reason"]}
            for f in files
        },
        "provenance": dict(provenance),
    }
    Path(report).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    LOG.info("%d cells, %d features genes, %d components", len(table), len(names), corrected.shape[1])


def _write_nothing(
    files: Sequence[SampleFile],
    summary: str,
    cell_table: str,
    *,
    features: str,
    report: str,
    provenance: Mapping[str, Any],
) -> None:
    """The same files without cells, where no sample can be used."""
    Path(features).parent.mkdir(parents=True, exist_ok=True)
    np.save(features, np.zeros((0, 0), dtype=np.float32))
    write_table(CELLS.empty(), cell_table, CELLS, provenance=provenance)
    write_table(summarise(files), summary, SUMMARY, provenance=provenance)
    record: dict[str, Any] = {
        "names": [],
        "scaling": None,
        "n_cells": 0,
        "genes": {"shared": 0, "in_any_sample": 0, "missing": {}},
        "features": {"chosen": [], "excluded": {}, "kir": "excluded"},
        "eigenvalues": [],
        "noise_limit": None,
        "integration": {"method": "none", "explained_before": {}, "reason": "no sample can be used"},
        "samples": {f.sample: {"left_out": f.record["reason"]} for f in files},
        "provenance": dict(provenance),
    }
    Path(report).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _dense(
    files: Sequence[SampleFile], genes: np.ndarray, choice: pd.DataFrame, *, kir: str
) -> tuple[np.ndarray, list[str]]:
    """Dense float32 cells x features: the chosen genes, and all KIR genes as one feature if asked for."""
    chosen = np.flatnonzero(choice["chosen"].to_numpy())
    names = [str(g) for g in genes[chosen]]
    kir_columns = np.flatnonzero(family(genes, "KIR")) if kir == "pooled" else np.array([], dtype=int)
    if len(kir_columns):
        names.append(POOLED_KIR)
    x = np.empty((sum(len(f.cells) for f in files), len(names)), dtype=np.float32)
    start = 0
    for f, counts in matrices(files, genes):
        stop = start + len(f.cells)
        x[start:stop, : len(chosen)] = log_counts(counts)[:, chosen].toarray()
        if len(kir_columns):
            depth = np.maximum(np.asarray(counts.sum(axis=1), dtype=np.float64).ravel(), 1.0)
            together = np.asarray(counts[:, kir_columns].sum(axis=1), dtype=np.float64).ravel()
            x[start:stop, -1] = np.log1p(TARGET * together / depth)
        start = stop
    return x, names


def defining_genes(path: str) -> list[str]:
    """Genes named anywhere in a population definition file, but for those of scores that say ``clustered: false``."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as e:
        raise UserError(path, "population signatures", Plain(str(e).splitlines()[0]), "a YAML file") from e
    scores = content.get("scores") or {}
    members = {**(content.get("groups") or {})}
    members |= {
        name: [*score["over"], *score.get("under", ())] if score.get("clustered", True) else []
        for name, score in scores.items()
    }
    named = [
        gene
        for entry in (content.get("populations") or {}).values()
        for part in ("requires", "up", "down", "positive", "negative")
        for features in (entry.get(part) if isinstance(entry.get(part), list) else [entry.get(part) or ()])
        for gene in ([features] if isinstance(features, str) else features)
    ]
    return sorted({str(g) for name in named for g in members.get(name, (name,))})


def design_verdict(sheet: pd.DataFrame, key: str) -> tuple[bool, str]:
    """Whether batches of column `key` can be corrected without removing time, arm or tissue, and why (not)."""
    from cimlnk.cohort.design import confounding

    verdict = confounding(sheet.assign(batch=sheet[key], modality="rna"))["rna"]["harmony_on_batch"]
    return verdict["verdict"] == "allowed", verdict["why"]
