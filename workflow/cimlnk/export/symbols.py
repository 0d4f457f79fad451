"""Ensembl ids of gene symbols by a shipped table, where the input files name none (``resources/genes``)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import pandas as pd

from cimlnk.common.home import HOME

TABLE = HOME / "resources/genes/ensembl.tsv.xz"
GENCODE = 48
RELEASES = {1: 75, 2: 82, 4: 90, 8: 105, 16: 109, 32: 114}  # bit in the table -> Ensembl release
NOW = 32
# A clone's number was given to another gene in a later release; an approved symbol goes on meaning the same gene.
OF_A_CLONE = re.compile(r"\.\d+$")
AMBIGUOUS, RETIRED, UNKNOWN = "none: several genes", "none: retired gene", "none: unknown symbol"
UNSURE = "none: clone, release unknown"
KNOWS = 0.95  # of the symbols; a release that knows fewer is not the cohort's


class Named(NamedTuple):
    """What symbols mean.

    Attributes
    ----------
    ids
        Ensembl id of every symbol, or None.
    sources
        Where each comes from (``symbol, Ensembl 75`` or ``symbol, other release``), or why there is none.
    release
        The Ensembl release that knows most of the symbols.
    """

    ids: list[str | None]
    sources: list[str]
    release: int


@cache
def gene_table() -> pd.DataFrame:
    """Columns id (empty: retired), symbol, releases (bits of :data:`RELEASES`); by ``resources/genes/build.py``."""
    types = {"id": str, "symbol": str, "releases": "uint8"}
    return pd.read_csv(TABLE, sep="\t", dtype=types, keep_default_na=False)


@cache
def current_ids() -> frozenset[str]:
    """All gene ids of GENCODE 48, those of genes without a symbol among them."""
    return frozenset(gene_table()["id"]) - {""}


def ids_of_symbols(symbols: Sequence[str]) -> Named:
    """Ensembl ids that symbols mean in the release that knows most of them; never one that is in doubt.

    A symbol that this release does not know, or whose gene was retired since, is looked up in the other releases: it
    gets an id where they leave one gene. Numbers of clones (``AC009961.3``) have changed their genes, so one that was
    retired stays without, and all do where no release knows 95 % of the symbols. A symbol of several genes has no id,
    and neither have two symbols that lead to the same one unless one of them is the release's own.

    Parameters
    ----------
    symbols
        Of one cohort; what they have in common tells the release.

    Examples
    --------
    >>> ids_of_symbols(["NKG7", "NCAM1", "Y_RNA", "no such gene"]).ids
    ['ENSG00000105374', 'ENSG00000149294', None, None]
    """
    table = gene_table()
    table = table[table["symbol"].isin(set(symbols) - {""})]
    bits = {bit: table.loc[table["releases"] & bit > 0, "symbol"].nunique() for bit in RELEASES}
    chosen = max(RELEASES, key=lambda bit: (bits[bit], bit))
    rows: dict[str, list[tuple[str, int]]] = {}
    for gene, symbol, seen in table.itertuples(index=False, name=None):
        rows.setdefault(symbol, []).append((gene, seen))
    found = [_meaning(s, rows.get(s, []), chosen) for s in symbols]
    if bits[chosen] < KNOWS * len(set(symbols)):
        found = [
            (None, UNSURE) if g and OF_A_CLONE.search(s) else (g, t) for s, (g, t) in zip(symbols, found, strict=True)
        ]
    own = f"symbol, Ensembl {RELEASES[chosen]}"
    first = {gene: i for i, (gene, source) in enumerate(found) if gene and source == own}
    times = pd.Series([gene for gene, _ in found], dtype=object).value_counts()
    for i, (gene, _) in enumerate(found):
        if gene and times[gene] > 1 and first.get(gene) != i:
            found[i] = (None, AMBIGUOUS)
    return Named([gene for gene, _ in found], [source for _, source in found], RELEASES[chosen])


def _meaning(symbol: str, rows: list[tuple[str, int]], chosen: int) -> tuple[str | None, str]:
    if not rows:
        return None, UNKNOWN
    own = {gene for gene, seen in rows if seen & chosen}
    if len(own - {""}) == 1 and "" not in own:
        return own.pop(), f"symbol, Ensembl {RELEASES[chosen]}"
    if len(own) > 1:
        return None, AMBIGUOUS
    clone = bool(OF_A_CLONE.search(symbol))
    if own and clone:
        return None, RETIRED
    now = {gene for gene, seen in rows if seen & NOW} - {""}
    left = now if len(now) == 1 and not clone else {gene for gene, _ in rows if gene or clone}
    if len(left) == 1 and "" not in left:
        return left.pop(), "symbol, other release"
    return None, AMBIGUOUS if left - {""} else RETIRED
