"""What a page is made of: sections holding text, figures and tables; every figure names the table behind it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.formulas import neutral
from cimlnk.common.palette import LABELS

from .style import GATES, label, plain_column, save

MAX_CSV_ROWS = 5_000  # the site stays small enough to send; the results folder holds every table whole
MOST_FILE_ROWS = 10_000  # of a table behind a figure
NAMED = ("population", "runner_up", "founder", "from_population", "to_population")  # shown as figures call them
MODALITY = {"cytof": "mass cytometry", "flow": "flow cytometry", "rna": "single-cell RNA", "adt": "antibodies"}
SIDES = {"above": "above", "below": "below", "not_all_above": "not above all"}
SPOKEN = {  # values of a column as a reader calls them; the file beside the table keeps the program's
    "modality": MODALITY,
    "one": MODALITY,
    "other": MODALITY,
    "measure": {"fraction": "share", "fraction_whole": "share, with what refines it"},
    "test": {
        "state_median": "median level", "state_mean": "mean level", "state_positive": "share positive",
        "abundance": "share", "absolute": "cells/µL", "clr": "log-ratio", "permanova_time": "time within patients",
        "permanova_patient": "patients apart", "donor_identity": "nearest sample is the same patient's",
    },
    "what": {"donor_receptors": "inherited receptors", "receptors": "all receptors"},
    "feature": {"donor_receptors": "inherited receptors"},
    "gate": GATES, "parent": GATES, "of": GATES, "subject": GATES,
    "side": SIDES, "kept side": SIDES,
}  # fmt: skip
PROSE = (
    "title",
    "reason",
    "model_reason",
    "why",
    "text",
    "bound",
    "worst",
    "asked",
    "subject",
    "remark",
)  # sentences of stages
# what may be the same in all rows and still has to stand in each of them
KEPT = ("verdict", "decision", "mark", "effect", "effect_low", "effect_high", "p", "fdr", "p_floor", "kind")
FEWEST_ROWS, FEWEST_COLUMNS = 3, 5  # of a table whose columns of one value are told once below it
_ONE = r"[-−<≥≤~ ]*[\d.,]+(e[-+]?\d+)?( ?%)?"
NUMBER = re.compile(rf"{_ONE}((–| to ){_ONE})?( \({_ONE} to {_ONE}\))?")  # or a range, or a number with its range
MAX_ROWS = 400  # a longer table is cut on the page, with a word; the CSV beside it is whole


@dataclass(frozen=True)
class Text:
    """A paragraph (already escaped HTML)."""

    body: str
    kind: str = "text"  # text, note or warning


@dataclass(frozen=True)
class Figure:
    """A drawn figure with its caption and the file of the table behind it."""

    id: str
    file: str
    caption: str
    table: str
    alt: str
    values: str = ""  # JSON: what stands where in the picture, see style.told


@dataclass(frozen=True)
class Table:
    """A table on the page and the file that holds it whole."""

    id: str
    head: list[str]
    rows: list[list[str]]
    caption: str
    file: str
    cut: int = 0
    right: frozenset[int] = frozenset()  # columns of numbers


@dataclass
class Section:
    """A heading and what stands under it."""

    id: str
    title: str
    blocks: list[Text | Figure | Table] = field(default_factory=list)


@dataclass
class Page:
    """One HTML file of the site."""

    file: str
    title: str
    lead: str
    sections: list[Section] = field(default_factory=list)
    group: str = "study"
    menu: str = ""  # shorter title for the menu


class Site:
    """Collects pages, draws figures and writes tables below one folder.

    Parameters
    ----------
    folder
        Where the site is written: ``*.html``, ``figures/``, ``tables/``.
    title
        Title of the cohort.
    """

    def __init__(self, folder: str | Path, title: str) -> None:
        self.folder = Path(folder)
        self.title = title
        self.pages: list[Page] = []
        self.cut: dict[str, tuple[int, int]] = {}  # files that hold the first rows only: rows held, rows there are
        self._written: set[str] = set()

    def table_file(self, name: str, table: pd.DataFrame, most: int | None = None) -> str:
        """Write `table` (at most `most` rows) as CSV once and return its place in the site; `cut` keeps what is cut."""
        most = MOST_FILE_ROWS if most is None else most
        file = f"tables/{slug(name)}.csv"
        if file not in self._written:
            path = self.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            neutral(table.head(most)).to_csv(path, index=False, lineterminator="\n", float_format="%.4g")
            self._written.add(file)
            if len(table) > most:
                self.cut[file] = most, len(table)
        return file

    def copy(self, source: Path, place: str) -> None:
        """Copy a file made by an earlier rule to `place` in the site."""
        target = self.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())

    def folded(self, folder: str, figures: list[tuple[str, str, Path]], what: str, *, unfolded: int = 0) -> Text:
        """Figures made by earlier rules, each folded away under its title unless there are at most `unfolded`.

        Parameters
        ----------
        folder
            Place in the site the files are copied to.
        figures
            Name in that folder, title and file of each.
        what
            What a figure shows, for readers who do not see it: "`what` of `title`".
        unfolded
            Most figures that are shown open.
        """
        parts = []
        for name, title, source in figures:
            place = f"{folder}/{slug(name)}{source.suffix}"
            self.copy(source, place)
            image = f'<img src="{place}" alt="{esc(what)} of {esc(title)}">'
            state = " open" if len(figures) <= unfolded else ""
            parts.append(f"<details{state}><summary>{esc(title)}</summary><figure>{image}</figure></details>")
        return Text("".join(parts), "html")

    def figure(
        self,
        name: str,
        drawn: Any,
        caption: str,
        *,
        table: pd.DataFrame,
        table_name: str | None = None,
        png: bool = False,
    ) -> Figure:
        """Save a matplotlib figure and the table behind it."""
        file = f"figures/{slug(name)}.{'png' if png else 'svg'}"
        values = save(drawn, self.folder / file)
        alt = re.sub(r"<[^>]+>", "", caption).split(". ")[0]
        # "<" in a text could end the script element that holds the values
        told = json.dumps(values, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c") if values else ""
        behind = self.table_file(table_name or name, table)
        if behind in self.cut:
            held, known = self.cut[behind]
            caption += f" The file holds the first {held:,} of {known:,} rows, the results all."
        return Figure(slug(name), file, caption, behind, alt, told)

    def table(self, name: str, table: pd.DataFrame, caption: str, *, columns: dict[str, str] | None = None) -> Table:
        """Show `table` (chosen columns under readable headings) and write it whole as CSV."""
        file = self.table_file(name, table, MAX_CSV_ROWS)
        chosen = table if columns is None else table[list(columns)]
        if len(chosen):  # a column without any value is uninformative on a page; the file keeps it
            chosen = chosen[_filled(chosen)]
        head = list(chosen.columns) if columns is None else [columns[c] for c in chosen]
        shown = chosen.head(MAX_ROWS)
        for column in [c for c in NAMED if c in shown]:
            shown = shown.assign(**{column: [label(v) if isinstance(v, str) else v for v in shown[column]]})
        if "p_floor" in shown and (shown["p_floor"].fillna(0) == 0).all():  # models alone: the column is uninformative
            head = [h for h, c in zip(head, shown, strict=True) if c != "p_floor"]
            shown = shown.drop(columns="p_floor")
        for column in [c for c in ("p", "fdr", "p_floor") if c in shown]:
            shown = shown.assign(**{column: [probability(v, column) for v in shown[column]]})
        for column, words in SPOKEN.items():
            if column in shown:
                shown = shown.assign(**{column: [_spoken(v, words) for v in shown[column].astype(object)]})
        for column in [c for c in PROSE if c in shown]:
            shown = shown.assign(**{column: [prose(v) if isinstance(v, str) else v for v in shown[column]]})
        rows = [list(row) for row in zip(*(plain_column(shown.iloc[:, i]) for i in range(shown.shape[1])), strict=True)]
        head, rows, same = _told_once([str(h) for h in head], rows, keys=[str(c) for c in shown])
        if same:
            caption += f" In every row: {esc('; '.join(same))}."
        cut = max(0, len(chosen) - len(shown))
        if cut:
            whole = (
                f"the file the first {MAX_CSV_ROWS:,}, the results all" if len(table) > MAX_CSV_ROWS else "the file all"
            )
            caption += f" The page holds {len(shown):,} of {len(chosen):,} rows, {whole}."
        right = frozenset(k for k in range(len(head)) if _numbers([row[k] for row in rows]))
        return Table(slug(name), head, rows, caption, file, cut, right)


def prose(text: str) -> str:
    """A stage's sentence as a reader writes it: kinds of data and populations by their names, ≤ and µL.

    Examples
    --------
    >>> prose("cytof: CD56dim_KIR >= 5 cells/uL")
    'mass cytometry: CD56dim KIR+ ≥ 5 cells/µL'
    """
    for pattern, words in WORDS:
        text = pattern.sub(words, text)
    return text


_ALONE = r"(?<![\w./-]){}(?![\w/-]|\.\w)"  # not part of a file's or a sample's name
WORDS = [
    *((re.compile(_ALONE.format(p)), label(p)) for p in LABELS if "_" in p),
    *(
        (re.compile(_ALONE.format(f"{g}(?! =)")), words)
        for g, words in GATES.items()
        if "_" in g and g != "event_length"
    ),
    (re.compile(_ALONE.format("cytof")), "mass cytometry"),
    (re.compile(_ALONE.format("rna")), "single-cell RNA"),
    (re.compile(_ALONE.format("flow(?=:)")), "flow cytometry"),
    (re.compile(_ALONE.format("donor_receptors")), "inherited receptors"),
    (re.compile("<="), "≤"),
    (re.compile(">="), "≥"),
    (re.compile(r"\buL\b"), "µL"),
]


def _told_once(
    head: list[str], rows: list[list[str]], *, keys: list[str]
) -> tuple[list[str], list[list[str]], list[str]]:
    """Headings and rows without the columns that have one value in all rows, and these as words."""
    if len(rows) < FEWEST_ROWS or len(head) < FEWEST_COLUMNS:
        return head, rows, []
    constant = [
        k
        for k, key in enumerate(keys)
        if (k or key == "modality") and key not in KEPT and rows[0][k] != "" and len({row[k] for row in rows}) == 1
    ]
    words = [f"{head[k]}{': ' if ' ' in head[k] else ' '}{rows[0][k].rstrip('.')}" for k in constant]
    keep = [k for k in range(len(head)) if k not in constant]
    return [head[k] for k in keep], [[row[k] for k in keep] for row in rows], words


def _numbers(cells: list[str]) -> bool:
    """Whether a column holds numbers alone (and gaps), which are read from the right."""
    filled = [c for c in cells if c]
    return bool(filled) and all(NUMBER.fullmatch(c) or c == "none" for c in filled)


def _spoken(value: Any, words: Mapping[str, str]) -> Any:
    """A value in words; that of its first part where it has none itself: absolute_signflip is a test of `absolute`."""
    base, bracket, rest = str(value).partition(" (")  # a part of a gate: not_b (CD19)
    if bracket and base in words:
        return f"{words[base]}{bracket}{rest}".replace("_", " ")
    return words.get(value, words.get(str(value).split("_")[0], value))


def probability(value: Any, column: str) -> Any:
    """A p value or false discovery rate as a page shows it: no digits below 0.0001, which no few patients bear out."""
    if column == "p_floor":
        return "none" if value == 0 else value  # of a model
    return "<0.0001" if isinstance(value, float) and 0 <= value < 1e-4 else value


def _filled(table: pd.DataFrame) -> list[str]:
    """Columns with a value somewhere; and those whose range, in the next column, has one: the heading is theirs."""
    filled = [bool((table[c].notna() & (table[c] != "")).any()) for c in table]
    after = [*(bool(f) and str(c).endswith("_range") for c, f in zip(table, filled, strict=True)), False][1:]
    return [c for c, f, a in zip(table, filled, after, strict=True) if f or a]


def slug(name: str) -> str:
    """A file name from a title: letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-")


def esc(text: object) -> str:
    """Text made safe for HTML."""
    return html.escape(str(text), quote=True)
