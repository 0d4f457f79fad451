"""Ensembl ids of the genes, from the files the counts came from."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from cimlnk.rna.counts import ENSEMBL
from cimlnk.rna.folder import find_files
from cimlnk.rna.read_h5 import ID_COLUMNS, SYMBOL_COLUMNS


def ensembl_ids(sources: Iterable[str | Path], genes: Sequence[str]) -> list[str | None]:
    """Ensembl id of every gene symbol, without its version; None where no input names one, or several.

    Parameters
    ----------
    sources
        Raw inputs of the samples (10x folders, 10x ``.h5``, ``.h5ad``), asked in turn until every gene has an id.
    genes
        Gene symbols.
    """
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
    return [found.get(g) for g in genes]


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
