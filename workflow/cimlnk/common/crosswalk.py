"""Names that others have for our subsets (``resources/crosswalk.tsv``).

A row says which name of a scheme stands for one of ours, and how well: ``exact`` (the same cells by the same markers),
``close`` (most of the same cells, or told by something else), ``broad`` (theirs is wider). What is not known has no
row.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import pandas as pd

from .home import HOME

TABLE = HOME / "resources/crosswalk.tsv"
SCHEMES = {
    "cell_ontology": "Cell Ontology",
    "netskar_2024": "Netskar 2024",
    "rebuffet_2024": "Rebuffet 2024",
    "celltypist": "CellTypist",
    "azimuth": "Azimuth",
}
MATCHES = ("exact", "close", "broad")


@cache
def crosswalk() -> pd.DataFrame:
    """The table: name, scheme, label, id (Cell Ontology), match, source."""
    return pd.read_csv(TABLE, sep="\t", dtype=str, keep_default_na=False)


def others(scheme: str, *, matches: Iterable[str] = MATCHES) -> dict[str, str]:
    """Our names and those of one scheme, as far as they are known.

    Examples
    --------
    >>> others("rebuffet_2024")
    {'CD56bright': 'NK2', 'adaptive': 'NK3'}
    >>> others("azimuth", matches=["exact"])["CD56bright"]
    'NK_CD56bright'
    """
    table = crosswalk()
    rows = table[(table["scheme"] == scheme) & table["match"].isin(list(matches))]
    return dict(zip(rows["name"], rows["label"], strict=True))


def columns(populations: pd.Series) -> pd.DataFrame:
    """For the population of every cell (or row) the names of all schemes, as categories; missing where not known.

    ``cell_ontology`` is followed by ``cell_ontology_id``.
    """
    table = crosswalk()
    result: dict[str, pd.Categorical] = {}
    for scheme in SCHEMES:
        rows = table[table["scheme"] == scheme].set_index("name")
        for column, what in ((scheme, "label"), (f"{scheme}_id", "id")):
            if (rows[what] != "").any():
                values = populations.astype(object).map(rows[what].to_dict())
                result[column] = pd.Categorical(values, categories=sorted(values.dropna().unique()))
    return pd.DataFrame(result, index=populations.index)


def table_of(populations: Iterable[str]) -> pd.DataFrame:
    """One row a population of ours: the names of every scheme, ``~`` before a close and ``<`` before a wider one, and
    their sources."""
    rows = []
    table = crosswalk()
    for name in populations:
        mine = table[table["name"] == name].set_index("scheme")
        row: dict[str, str | None] = {"population": name}
        for scheme in SCHEMES:
            text = None
            if scheme in mine.index:
                mark = {"exact": "", "close": "~ ", "broad": "< "}[mine.at[scheme, "match"]]
                number = mine.at[scheme, "id"]
                text = f"{mark}{mine.at[scheme, 'label']}" + (f" ({number})" if number else "")
            row[scheme] = text
        row["source"] = "; ".join(dict.fromkeys(mine["source"])) or None
        rows.append(row)
    return pd.DataFrame(rows, columns=["population", *SCHEMES, "source"])
