"""All cells of a modality as one AnnData file, written sample by sample so that memory never holds two matrices."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.crosswalk import columns as crosswalk_columns
from cimlnk.cytof.h5ad import mark
from cimlnk.populations.load import cell_names, feature_names

from .cells import cell_table, colour_entries, lineage_table
from .cellxgene import Fields, annotate
from .genes import gene_table_of
from .h5ad_parts import copy_rows, write_dense, write_graph, write_sparse, write_umap

log = logging.getLogger(__name__)
LAYER = {"cytof": "raw", "flow": "raw", "rna": "counts"}


def export_h5ad(
    *,
    modality: str,
    samples: Sequence[str | Path],
    cells: str | Path,
    populations: str | Path,
    umap: str | Path,
    features: str | Path,
    feature_report: str | Path,
    graph: str | Path,
    raw: Sequence[str | Path],
    sheet: str | Path,
    patients: str | Path | None,
    cellxgene: Mapping[str, Any] | None,
    title: str,
    output: str | Path,
    provenance: Mapping[str, Any],
    proteins: str | Path | None = None,
) -> None:
    """Write ``export/{modality}.h5ad``.

    Written are: ``X`` on the analysis scale (arcsinh, or log1p of counts per 10,000 as CSR) and the measured values in
    ``layers["raw"]`` (cytof) or ``layers["counts"]`` (rna), float32; ``obs`` from :func:`cell_table` with the names
    of others (:mod:`cimlnk.common.crosswalk`);
    ``obsm["X_umap"]`` and ``obsm["X_features"]`` (what the graph was built on); ``obsp["connectivities"]`` and
    ``obsp["distances"]`` with ``uns["neighbors"]``; ``var["gene_ids"]`` and ``gene_id_source`` (rna,
    :func:`.genes.gene_table_of`) or channel, role and cofactor (cytof); ``uns["<column>_colors"]``; ``uns["cimlnk"]``
    (JSON provenance). With `proteins`, ``obsm["protein"]`` (analysis scale) and ``obsm["protein_counts"]``, tables with
    a column an antibody (arrays where the fields of CELLxGENE are asked for), NaN in cells without antibody counts. The
    file is the same to the byte in every run.

    Parameters
    ----------
    modality
        ``cytof`` or ``rna``.
    samples
        Per-sample h5ad files. A marker or gene that some of them lack is left out, and named in ``uns["cimlnk"]``.
    cells, populations, umap, features, feature_report, graph
        The modality's results; rows of `features` follow `cells`.
    raw
        rna: the file (or 10x folder, or matrix in it) behind each of `samples`, asked for Ensembl ids before the
        table of symbols is; else none.
    sheet, patients
        SAMPLES; PATIENTS (used for the fields of CELLxGENE) or None.
    cellxgene
        Ontology fields from the config, or None.
    title
        Of the cohort.
    output
        The file written.
    provenance
        Of the rule.
    proteins
        ``adt/proteins.h5ad`` of :mod:`cimlnk.adt`, which may be empty; None elsewhere.
    """
    import h5py
    from anndata.io import write_elem

    obs = cell_table(cells=cells, populations=populations, samples=sheet, lineages=lineage_table(samples))
    obs = obs.join(crosswalk_columns(obs["population"]))
    shared, missing = shared_features(samples)
    var = _var(modality, samples, shared, raw=raw)
    fields = Fields.of(cellxgene, sheet, patients) if cellxgene and modality == "rna" else None
    record: dict[str, Any] = {"provenance": provenance, "not_in_every_sample": missing}
    if "gene_id_source" in var:
        record["gene_id_source"] = {k: int(n) for k, n in sorted(var["gene_id_source"].value_counts().items())}
        log.info("Ensembl ids: %s", ", ".join(f"{k} {n}" for k, n in record["gene_id_source"].items()))
    if fields is not None:
        obs, var = annotate(obs, var, fields)
        kept = set(var["gene_symbol"])
        record["left_out_for_cellxgene"] = [g for g in shared if g not in kept]
        shared = [g for g in shared if g in kept]
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(output, "w") as f:
        mark(f, "anndata", "0.1.0")
        for name in ("layers", "obsm", "obsp", "varm", "varp", "uns"):
            mark(f.create_group(name), "dict", "0.1.0")
        write_elem(f, "obs", obs)
        write_elem(f, "var", var)
        place = pd.Series(np.arange(len(obs)), index=obs.index)
        write = write_sparse if modality == "rna" else write_dense
        write(f, "X", samples, node="X", shared=shared, place=place)
        layer = f"layers/{LAYER[modality]}"
        write(f, layer, samples, node=layer, shared=shared, place=place)
        if fields is not None:  # the validator looks for counts in raw: the same bytes under a second name
            raw_group = f.create_group("raw")
            mark(raw_group, "raw", "0.1.0")
            raw_group["X"] = f["layers/counts"]
            write_elem(raw_group, "var", var.drop(columns="feature_is_filtered"))
            mark(raw_group.create_group("varm"), "dict", "0.1.0")
        write_umap(f["obsm"], umap, place)
        copy_rows(f["obsm"], "X_features", features)
        if proteins is not None:
            for name, table in protein_tables(proteins, obs.index).items():
                # the validator of CELLxGENE knows arrays alone
                write_elem(f["obsm"], name, table if fields is None else table.to_numpy())
        k = write_graph(f["obsp"], graph, len(obs))
        uns: dict[str, Any] = dict(colour_entries(obs))
        if k:
            uns["neighbors"] = {
                "connectivities_key": "connectivities", "distances_key": "distances",
                "params": {"n_neighbors": k, "method": "cimlnk", "use_rep": "X_features"},
            }  # fmt: skip
        record["features"] = json.loads(Path(feature_report).read_text(encoding="utf-8"))
        uns["cimlnk"] = json.dumps(record, sort_keys=True)
        uns["title"] = title
        if fields is not None:
            uns["organism_ontology_term_id"] = fields.values["organism"]
        for name, value in sorted(uns.items()):
            write_elem(f["uns"], name, value)
    log.info("%s: %d cells, %d features", output, len(obs), len(shared))


def protein_tables(path: str | Path, cells: pd.Index) -> dict[str, pd.DataFrame]:
    """Proteins of `cells` (rows in their order, float32, a column an antibody), NaN where a cell has none.

    ``protein`` is the analysis scale, ``protein_counts`` what was counted. Without antibodies in the file there is no
    table.
    """
    import h5py
    from anndata.io import read_elem

    with h5py.File(path, "r") as f:
        antibodies = read_elem(f["var"]).index
        if not len(antibodies):
            return {}
        at = read_elem(f["obs"]).index.get_indexer(cells)
        found = {}
        for name, node in (("protein", "X"), ("protein_counts", "layers/counts")):
            values = np.full((len(cells), len(antibodies)), np.nan, np.float32)
            values[at >= 0] = f[node][:][at[at >= 0]]
            found[name] = pd.DataFrame(values, index=cells, columns=antibodies.astype(object))
    return found


def shared_features(samples: Sequence[str | Path]) -> tuple[list[str], list[str]]:
    """Features that every sample with cells has, in the order of the first; and those that only some have."""
    shared: list[str] | None = None
    union: dict[str, None] = {}
    for path in samples:
        if not len(cell_names(path)):
            continue
        names = [str(n) for n in feature_names(path)]
        union |= dict.fromkeys(names)
        present = set(names)
        shared = names if shared is None else [n for n in shared if n in present]
    kept = set(shared or [])
    return shared or [], sorted(n for n in union if n not in kept)


def _var(modality: str, samples: Sequence[str | Path], shared: list[str], *, raw: Sequence[str | Path]) -> pd.DataFrame:
    index = pd.Index(shared, dtype=object)
    if modality == "rna":
        # a sample that is left out may have a file that cannot be read
        used = [file for file, p in zip(raw, samples, strict=True) if len(cell_names(p))]
        return gene_table_of(dict.fromkeys(used), shared)
    from cimlnk.cytof.h5ad import read_names

    for path in samples:
        if len(cell_names(path)):
            return read_names(path)[1].reindex(index)
    return pd.DataFrame(index=index)
