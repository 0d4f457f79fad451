"""Ensembl ids of the genes: from the files the counts came from, and where these have symbols only, by table."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.rna.counts import ENSEMBL
from cimlnk.rna.folder import find_files
from cimlnk.rna.read_h5 import ID_COLUMNS, SYMBOL_COLUMNS

from .symbols import AMBIGUOUS, ids_of_symbols


def gene_table_of(sources: Iterable[str | Path], genes: Sequence[str]) -> pd.DataFrame:
    """Ensembl id of every gene and where it comes from.

    Parameters
    ----------
    sources
        Raw inputs of the samples (10x folders, 10x ``.h5``, ``.h5ad``), asked in turn until every gene has an id.
    genes
        Gene symbols; what no input gives an id is asked of the table (:func:`~cimlnk.export.symbols.ids_of_symbols`).

    Returns
    -------
    pandas.DataFrame
        Index the symbols; ``gene_ids`` without version, missing where none is sure; ``gene_id_source`` (``input``,
        ``symbol, Ensembl 75``, ``symbol, other release``) or why there is none (``none: several genes``, ``none:
        retired gene``, ``none: unknown symbol``).
    """
    given = ensembl_ids(sources, genes)
    by_symbol = ids_of_symbols(genes) if len(given) < len(set(genes)) else None
    taken = {gene for gene in given.values() if gene}
    ids: list[str | None] = []
    told: list[str] = []
    for i, symbol in enumerate(genes):
        if symbol in given:
            gene, source = given[symbol], "input" if given[symbol] else AMBIGUOUS
        else:
            assert by_symbol is not None
            gene, source = by_symbol.ids[i], by_symbol.sources[i]
            if gene in taken:  # an input names this gene otherwise
                gene, source = None, AMBIGUOUS
        ids.append(gene)
        told.append(source)
    columns = {"gene_ids": pd.Categorical(ids), "gene_id_source": pd.Categorical(told)}
    return pd.DataFrame(columns, index=pd.Index(list(genes), dtype=object))


def ensembl_ids(sources: Iterable[str | Path], genes: Sequence[str]) -> dict[str, str | None]:
    """Ensembl id, without version, of every symbol that an input names; None where the first to do so has several."""
    wanted = set(genes)
    found: dict[str, str | None] = {}
    for source in sources:
        if not wanted - set(found):
            break
        several: dict[str, set[str]] = {}
        for symbol, gene in _pairs(Path(source)):
            if symbol in wanted and symbol not in found and ENSEMBL.match(gene):
                several.setdefault(symbol, set()).add(gene.split(".")[0])
        found |= {symbol: ids.pop() if len(ids) == 1 else None for symbol, ids in several.items()}
    return found


def _pairs(source: Path) -> Iterable[tuple[str, str]]:
    """Symbol and id of every gene of one input; nothing where it has no second name."""
    if source.is_dir() or source.name.removesuffix(".gz").endswith(".mtx"):
        (_, _, file), _ = find_files(source if source.is_dir() else source.parent)
        raw = file.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text), delimiter="\t")
        return [(row[1], row[0]) for row in rows if len(row) > 1]
    import h5py

    with h5py.File(source, "r") as f:
        if "matrix" in f:
            names, ids = f["matrix/features/name"], f["matrix/features"].get("id")
            return [] if ids is None else list(zip(_text(names), _text(ids), strict=True))
        if "var" not in f:
            group = next((g for g in f.values() if "gene_names" in g and "genes" in g), None)
            return [] if group is None else list(zip(_text(group["gene_names"]), _text(group["genes"]), strict=True))
        var = f["var"]
        index = _text(var[var.attrs.get("_index", "_index")])
        columns = {c: _text(var[c]) for c in (*ID_COLUMNS, *SYMBOL_COLUMNS) if c in var}
    if np.mean([bool(ENSEMBL.match(g)) for g in index]) > 0.5:
        symbols = next((columns[c] for c in SYMBOL_COLUMNS if c in columns), None)
        return [] if symbols is None else list(zip(symbols, index, strict=True))
    ids = next((columns[c] for c in ID_COLUMNS if c in columns), None)
    return [] if ids is None else list(zip(index, ids, strict=True))


def _text(node: object) -> list[str]:
    if hasattr(node, "keys"):  # a categorical column
        categories = _text(node["categories"])  # type: ignore[index]
        return [categories[c] for c in node["codes"][:]]  # type: ignore[index]
    return [v.decode() if isinstance(v, bytes) else str(v) for v in node[:]]  # type: ignore[index]
