"""The cohort as one Excel workbook: every table with its dictionary, and layouts that paste into Prism."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cimlnk.claims.tables import CLAIMS
from cimlnk.cohort.tables import COUNTS, PATIENTS, SAMPLES
from cimlnk.common.crosswalk import SCHEMES, table_of
from cimlnk.common.palette import label, order
from cimlnk.common.tables import Schema, read_table
from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.dynamics.abundance.tables import ABUNDANCE, FOLDS
from cimlnk.dynamics.kinetics.tables import KINETICS
from cimlnk.dynamics.tables import TESTS

from .tables import EXPOSURE, OUTCOMES

CREATED = datetime.datetime(2020, 1, 1)  # fixed, so that equal results give equal bytes
MOST_ROWS = 1_048_000  # Excel's own limit is 1,048,576
WIDEST, NARROWEST = 46, 8


class Sheet(NamedTuple):
    """A sheet: its name, what it holds, the result it shows and the schema that explains its columns."""

    name: str
    words: str
    file: str
    schema: Schema | None


SHEETS = (
    Sheet("Warnings", "What the run warns of: read this first.", "quality/warnings.parquet", None),
    Sheet("Design", "The sample sheet as it was read: one row a file.", "cohort/samples.parquet", SAMPLES),
    Sheet("Patients", "The patients' sheet.", "cohort/patients.parquet", PATIENTS),
    Sheet("Counts", "Blood counts, IL-2 and events as given.", "cohort/counts.parquet", COUNTS),
    Sheet("Fractions", "Every subset in every sample: share, cells per µL.", "dynamics/abundance.parquet", ABUNDANCE),
    Sheet("Folds", "Cells per µL over the patient's own baseline.", "dynamics/folds.parquet", FOLDS),
    Sheet("Kinetics", "Peak, persistence, doubling time, half-life.", "dynamics/kinetics.parquet", KINETICS),
    Sheet("Exposure", "Cmax, Tmax, AUC and half-life of every subset.", "export/exposure.parquet", EXPOSURE),
    Sheet("Outcomes", "Outcome against exposure, exact permutation.", "export/outcomes.parquet", OUTCOMES),
    Sheet("Tests", "Changes of shares and cells per µL, all methods.", "dynamics/tests.parquet", TESTS),
    Sheet("Claims", "The study's claims in these data.", "claims/claims.parquet", CLAIMS),
)

NAMES = Sheet(
    "Names", "What others call the subsets: ~ close, < theirs is wider; empty where not known.", "",
    Schema(
        "NAMES",
        {
            "population": ("str", "our name"),
            **{s: ("str?", f"name in {words}; ~ close, < theirs is wider") for s, words in SCHEMES.items()},
            "source": ("str?", "where the names of others come from"),
        },
    ),
)  # fmt: skip


class Layout(NamedTuple):
    """A Prism sheet: rows are days, columns are patients, one block a subset."""

    name: str
    words: str
    column: str
    factor: float


LAYOUTS = (
    Layout("Prism cells per uL", "cells per µL of blood", "cells_per_ul", 1.0),
    Layout("Prism percent of NK", "percent of NK cells", "fraction", 100.0),
    Layout("Prism folds", "fold over baseline", "fold_change", 1.0),
)


def write_workbook(*, root: str | Path, files: Sequence[str | Path], title: str, output: str | Path) -> None:
    """Write ``export/cohort.xlsx``.

    The first sheet says what the others hold; then come the tables (those of `files` that the workbook knows), the
    Prism layouts, and a dictionary of all columns with types, units and meaning. Texts are written as texts whatever
    they begin with, so that no cell is ever a formula or a link; missing numbers are empty cells. Equal results give
    equal bytes.

    Parameters
    ----------
    root
        ``results/<cohort id>``.
    files
        Results that may be read; sheets whose table is not among them are left out.
    title
        Of the cohort.
    output
        The file written.
    """
    import xlsxwriter

    given = {str(Path(f).relative_to(root)): Path(f) for f in files if Path(f).is_relative_to(root)}
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    options = {
        "constant_memory": True, "nan_inf_to_errors": True, "strings_to_formulas": False, "strings_to_urls": False,
        "strings_to_numbers": False,
    }  # fmt: skip
    tables = {s.name: read_table(given[s.file]) for s in SHEETS if s.file in given}
    tables = {name: t for name, t in tables.items() if len(t)}
    if "Fractions" in tables:
        found = [p for p in order(tables["Fractions"]["population"]) if p != UNASSIGNED]
        tables["Names"] = table_of(found if NK in found else [NK, *found])
    with xlsxwriter.Workbook(str(output), options) as book:
        book.set_properties({"title": title, "author": "cimlnk", "created": CREATED})
        bold, wrap = book.add_format({"bold": True}), book.add_format({"text_wrap": True, "valign": "top"})
        layouts = [lay for lay in LAYOUTS if _source(tables, lay) is not None]
        front = [(s.name, s.words) for s in (*SHEETS, NAMES) if s.name in tables]
        front += [
            (lay.name, f"Days by patients (by arm), one block a subset: {lay.words}. Paste a block into Prism.")
            for lay in layouts
        ]  # fmt: skip
        front.append(("Dictionary", "Every column of every sheet: type, unit, meaning."))
        _frame(
            book,
            "Read me",
            pd.DataFrame(front, columns=["sheet", "what it holds"]),
            bold=bold,
            wrap=wrap,
            widths=[24, 100],
        )
        for name, table in tables.items():
            _frame(book, name, table, bold=bold, wrap=None)
        for layout in layouts:
            source = _source(tables, layout)
            assert source is not None
            _blocks(book, layout, source, bold=bold)
        _frame(book, "Dictionary", _dictionary(tables), bold=bold, wrap=wrap, widths=[14, 26, 12, 90])


def _source(tables: Mapping[str, pd.DataFrame], layout: Layout) -> pd.DataFrame | None:
    """The rows a layout shows: blood, one per modality, patient, day and subset; None if there are none."""
    table = next((t for t in tables.values() if layout.column in t and "day" in t and "population" in t), None)
    if table is None:
        return None
    if "tissue_or_product" in table:
        table = table[table["tissue_or_product"] == "blood"]
    table = table[table[layout.column].notna()]
    return table if len(table) else None


def _frame(
    book: Any, name: str, table: pd.DataFrame, *, bold: Any, wrap: Any, widths: Sequence[float] | None = None
) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    shown = table.head(MOST_ROWS)
    for j, column in enumerate(shown.columns):
        longest = int(shown[column].head(200).astype(str).str.len().max()) if len(shown) else 0
        width = widths[j] if widths else min(max(longest, len(str(column)), NARROWEST), WIDEST)
        sheet.set_column(j, j, width)
    if len(shown):
        sheet.autofilter(0, 0, len(shown), len(shown.columns) - 1)
    for j, column in enumerate(shown.columns):
        sheet.write_string(0, j, str(column), bold)
    for i, row in enumerate(shown.astype(object).itertuples(index=False, name=None), 1):
        for j, value in enumerate(row):
            _cell(sheet, i, j, value=value, form=wrap)


def _cell(sheet: Any, i: int, j: int, *, value: Any, form: Any = None) -> None:
    if value is None or value is pd.NA or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return
    if isinstance(value, bool | np.bool_):
        sheet.write_boolean(i, j, bool(value), form)
    elif isinstance(value, int | float | np.integer | np.floating):
        sheet.write_number(i, j, float(value), form)
    else:
        sheet.write_string(i, j, str(value)[:32_000], form)  # Excel holds 32,767 characters a cell


def _blocks(book: Any, layout: Layout, table: pd.DataFrame, *, bold: Any) -> None:
    sheet = book.add_worksheet(layout.name)
    sheet.set_column(0, 0, 18)
    at = 0
    for heading, arms, block in layout_blocks(layout, table):
        sheet.write_string(at, 0, heading, bold)
        lines = (["arm", *(arms[p] for p in block)], ["day", *map(str, block)])
        for i, line in enumerate(lines, at + 1):  # row by row: what is above the last row is written already
            for j, text in enumerate(line):
                sheet.write_string(i, j, text, bold)
        for i, (day, values) in enumerate(block.iterrows(), at + 3):
            sheet.write_number(i, 0, float(day))  # type: ignore[arg-type]
            for j, value in enumerate(values, 1):
                _cell(sheet, i, j, value=value)
        at += len(block) + 4


def layout_blocks(layout: Layout, table: pd.DataFrame) -> Iterator[tuple[str, dict[str, str], pd.DataFrame]]:
    """Heading, arm of every patient, and days × patients, for every modality and subset.

    All NK cells are given once: their counts are the same in both modalities. Replicate files of a day are averaged.
    """
    arms = table.groupby("patient")["arm"].first().astype(str).to_dict()
    patients = sorted(arms, key=lambda p: (arms[p], p))
    modalities = sorted(set(table["modality"]))
    for modality in modalities:
        mine = table[table["modality"] == modality]
        for population in ["NK", *order(set(mine["population"]) - {"NK"})]:
            rows = mine[mine["population"] == population]
            if not len(rows) or (population == "NK" and (modality != modalities[0] or layout.column == "fraction")):
                continue
            wide = rows.pivot_table(index="day", columns="patient", values=layout.column, aggfunc="mean")
            wide = wide.reindex(columns=[p for p in patients if p in wide.columns]) * layout.factor
            by = "" if population == "NK" or len(modalities) == 1 else f", by {modality}"
            yield f"{label(population)}: {layout.words}{by}", arms, wide.sort_index()


def _dictionary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = []
    schemas = {s.name: s.schema for s in (*SHEETS, NAMES)}
    for name, table in tables.items():
        schema = schemas[name]
        known = schema.columns if schema is not None else {}
        for column in table:
            kind, meaning = known.get(str(column), (str(table[column].dtype), "a column of the sheet, as given"))
            kind = {"str": "text", "str?": "text or empty", "object": "text"}.get(kind, kind)
            rows.append((name, str(column), kind, meaning))
    return pd.DataFrame(rows, columns=["sheet", "column", "type", "meaning"])
