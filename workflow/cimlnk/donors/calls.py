"""Per-cell donor calls as vireo, souporcell, demuxlet or a table write them, as one table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, UserError, nearest
from cimlnk.rna.read_h5 import read_obs

from .tables import AMBIGUOUS, DOUBLET, SINGLET, UNASSIGNED
from .text import read_text

#: Columns by which a program's file is known.
HEADERS = {
    "vireo": ("cell", "donor_id", "prob_max", "prob_doublet"),
    "souporcell": ("barcode", "status", "assignment"),
    "demuxlet": ("BARCODE", "BEST", "SNG.1ST", "PRB.DBL", "PRB.SNG1"),
    "demuxlet (popscle)": ("BARCODE", "DROPLET.TYPE", "SNG.BEST.GUESS", "SNG.POSTERIOR"),
}
# What tables call a cell that is nobody's in particular.
WORDS = {
    DOUBLET: {"doublet", "multiplet", "collision", "dbl", "doublets", "multi"},
    AMBIGUOUS: {"ambiguous", "amb", "uncertain"},
    UNASSIGNED: {"", "unassigned", "na", "nan", "none", "negative", "unknown", "unmapped", "low"},
}


def read_calls(
    path: str | Path, tool: str, *, file: str | None = None, column: str | None = None, barcodes: str | None = None
) -> pd.DataFrame:
    """The donor call of every barcode of a file.

    Parameters
    ----------
    path
        ``donor_ids.tsv`` of vireo (Huang 2019, Genome Biol 20:273), ``clusters.tsv`` of souporcell (Heaton 2020, Nat
        Methods 17:615), ``.best`` of demuxlet (Kang 2018, Nat Biotechnol 36:89) or popscle, or a CSV, TSV or h5ad
        whose obs has the column; gzipped or not.
    tool
        ``vireo``, ``souporcell``, ``demuxlet`` or ``column``.
    file
        Name of the file in messages, `path` by default.
    column, barcodes
        Of a table: the column of the donors, and that of the barcodes (default: the first one, of an h5ad obs_names).

    Returns
    -------
    DataFrame
        barcode, status (singlet, doublet, ambiguous, unassigned), label (text also where it is a number; None unless
        singlet), probability (float, NaN if not given), in the file's order.

    Raises
    ------
    UserError
        If the file is not that program's, holds no cells, a barcode twice, or a status that the program does not have.
    """
    shown = str(path) if file is None else file
    table = read_text_table(path, shown) if Path(path).suffix.lower() != ".h5ad" else _obs(Path(path), shown)
    if tool == "column":
        found = _column(table, shown, column or "donor", barcodes=barcodes)
    else:
        known = [name for name in HEADERS if name.startswith(tool) and set(HEADERS[name]) <= set(table.columns)]
        if not known:
            looks = [name for name, header in HEADERS.items() if set(header) <= set(table.columns)]
            missing = [c for c in HEADERS[tool] if c not in table.columns]
            words = f"a file of {looks[0]}" if looks else f"no column {missing[0]}"
            raise UserError(shown, "header", Plain(words), f"the columns {', '.join(HEADERS[tool])} of {tool}")
        found = READERS[known[0]](table, shown)
    if not len(found):
        raise UserError(shown, "rows", Plain("no cells"), "one row a barcode")
    twice = found["barcode"][found["barcode"].duplicated()]
    if len(twice):
        raise UserError(shown, "barcode", twice.iloc[0], f"every barcode once ({len(twice)} stand twice)")
    found.loc[found["status"] != SINGLET, "label"] = None
    return found.reset_index(drop=True)


def read_text_table(path: str | Path, file: str) -> pd.DataFrame:
    """A CSV or TSV (gzipped or not) with every cell as text."""
    text = read_text(path, file)
    first = text.split("\n", 1)[0]
    separator = max("\t,;", key=first.count)
    if separator not in first:
        raise UserError(file, "row 1", first[:60], "a header with columns separated by tabs or commas")
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error as error:
        raise UserError(file, "content", Plain(str(error)), "a table") from None
    header = [name.strip() for name in rows[0]]
    if len(rows) > 1 and len(rows[1]) == len(header) + 1:
        header = ["row_names", *header]  # R writes no name above the names of its rows
    for number, cells in enumerate(rows[1:], start=2):
        if cells and len(cells) != len(header):
            expected = f"{len(header)} as in the header: is the file whole?"
            raise UserError(file, f"row {number}", Plain(f"{len(cells)} fields"), expected)
    table = pd.DataFrame([cells for cells in rows[1:] if cells], columns=header, dtype=object)
    if table.columns.duplicated().any():
        raise UserError(file, "header", str(table.columns[table.columns.duplicated()][0]), "every column name once")
    return table.apply(lambda c: c.str.strip()) if len(table) else table


def need_columns(table: pd.DataFrame, names: Sequence[str], file: str) -> None:
    """Raise :class:`UserError` for the first of `names` that is no column, with the column most like it."""
    for name in names:
        if name not in table.columns:
            near = nearest(name, table.columns)
            found = Plain(f"the columns {', '.join(map(str, table.columns[:8]))}{', …' * (table.shape[1] > 8)}")
            hint = "" if near is None else f" (did you mean {near!r}?)"
            raise UserError(file, f"column {name}", found, f"a column {name!r}{hint}")


def _frame(barcode: pd.Series, status: object, label: object, *, probability: object) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "barcode": barcode.astype(object),
            "status": np.asarray(status, dtype=object),
            "label": np.asarray(label, dtype=object),
            "probability": np.asarray(probability, dtype=float),
        }
    )


def _numbers(table: pd.DataFrame, column: str, file: str) -> np.ndarray:
    values = pd.to_numeric(table[column], errors="coerce")
    wrong = values.isna() & ~table[column].str.lower().isin(["", "na", "nan"])
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise UserError(file, f"row {row + 2}, column {column}", table[column].iloc[row], "a number")
    return values.to_numpy(float)


def _checked(status: pd.Series, known: dict[str, str], file: str, *, column: str) -> pd.Series:
    wrong = ~status.isin(list(known))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        expected = " or ".join(known)
        raise UserError(file, f"row {row + 2}, column {column}", status.iloc[row], expected, list(known))
    return status.map(known)


def _vireo(table: pd.DataFrame, file: str) -> pd.DataFrame:
    donor = table["donor_id"]
    status = np.where(donor == DOUBLET, DOUBLET, np.where(donor == UNASSIGNED, UNASSIGNED, SINGLET))
    if (donor == "").any():
        row = int(np.flatnonzero(donor == "")[0])
        raise UserError(file, f"row {row + 2}, column donor_id", Plain("nothing"), "a donor, doublet or unassigned")
    return _frame(table["cell"], status, donor, probability=_numbers(table, "prob_max", file))


def _souporcell(table: pd.DataFrame, file: str) -> pd.DataFrame:
    known = {SINGLET: SINGLET, DOUBLET: DOUBLET, UNASSIGNED: UNASSIGNED}
    status = _checked(table["status"], known, file, column="status")
    clusters = [c for c in table.columns if c.startswith("cluster") and c[7:].isdigit()]
    probability = np.full(len(table), np.nan)
    if clusters:
        # posterior among the clusters and the best doublet, all as likely beforehand
        names = [*clusters, *(["log_prob_doublet"] if "log_prob_doublet" in table else [])]
        logs = np.column_stack([_numbers(table, c, file) for c in names])
        best = logs.max(axis=1, keepdims=True)
        probability = np.exp(logs[:, : len(clusters)].max(axis=1) - best[:, 0]) / np.exp(logs - best).sum(axis=1)
    return _frame(table["barcode"], status, table["assignment"], probability=probability)


def _demuxlet(table: pd.DataFrame, file: str) -> pd.DataFrame:
    known = {"SNG": SINGLET, "DBL": DOUBLET, "AMB": AMBIGUOUS}
    status = _checked(table["BEST"].str.split("-").str[0], known, file, column="BEST")
    probability = _numbers(table, "PRB.SNG1", file) * (1.0 - _numbers(table, "PRB.DBL", file))
    return _frame(table["BARCODE"], status, table["SNG.1ST"], probability=probability)


def _popscle(table: pd.DataFrame, file: str) -> pd.DataFrame:
    known = {"SNG": SINGLET, "DBL": DOUBLET, "AMB": AMBIGUOUS}
    status = _checked(table["DROPLET.TYPE"], known, file, column="DROPLET.TYPE")
    return _frame(table["BARCODE"], status, table["SNG.BEST.GUESS"], probability=_numbers(table, "SNG.POSTERIOR", file))


READERS: dict[str, Callable[[pd.DataFrame, str], pd.DataFrame]] = {
    "vireo": _vireo, "souporcell": _souporcell, "demuxlet": _demuxlet, "demuxlet (popscle)": _popscle,
}  # fmt: skip


def _column(table: pd.DataFrame, file: str, column: str, *, barcodes: str | None) -> pd.DataFrame:
    need_columns(table, [column, *([] if barcodes is None else [barcodes])], file)
    words = table[column].str.lower()
    status = np.full(len(table), SINGLET, dtype=object)
    for kind, names in WORDS.items():
        status[words.isin(names).to_numpy()] = kind
    return _frame(table[barcodes or table.columns[0]], status, table[column], probability=np.full(len(table), np.nan))


def _obs(path: Path, file: str) -> pd.DataFrame:
    """The obs of an h5ad as text, its names first."""
    obs = read_obs(path, file)
    text = obs.astype(object).where(obs.notna(), "").astype(str)
    text.insert(0, "obs_names", obs.index.astype(str))
    return text.reset_index(drop=True)
