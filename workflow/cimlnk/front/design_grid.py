"""Who was sampled when, as a small grid: patients × time points with the number of files, for one look."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import compress

import pandas as pd

from cimlnk.cohort.words import count

WIDTH, LINES = 80, 24  # of a screen
EACH = 12  # patients, up to which each has a row of its own
SIZES = ((34, 16), (24, 12), (16, 8))  # letters of a row's patients and of other cells: the first that leaves room …
LEAST_TIMES = 3  # … for so many time points
LONGEST_BATCHES = 8  # letters
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NONE = "-"  # no file at that time point


def design_grid(samples: pd.DataFrame, *, lines: int = LINES, width: int = WIDTH) -> list[str]:
    """A sample sheet's design as at most `lines` lines (7 at the least) of `width` letters.

    A row per patient while they fit, else per group of patients with the same files; what does not fit then is said
    in words. Batches are letters behind the number of files, explained below; where they leave no room, in words alone.

    Examples
    --------
    >>> samples = pd.DataFrame({"patient": ["P1", "P1", "P2"], "day": [-1, 7, -1], "timepoint": ["pre", "D7", "pre"],
    ...                         "arm": "all", "batch": ["r1", "r2", "r1"], "modality": "cytof",
    ...                         "tissue_or_product": "blood"})
    >>> print("\\n".join(design_grid(samples)))
    patient  pre  D7
    day      -1   7
    P1       1 a  1 b
    P2       1 a  -
    batches: a r1 (2 files), b r2 (1 file)
    """
    batches = sorted(samples["batch"].unique(), key=_natural)
    legend = _legend(samples, batches, width=width)
    if legend:
        letters = dict(zip(batches, LETTERS, strict=False))
        rows = _rows(samples, letters, most=lines - len(legend) - 2)
        if len(rows) + len(legend) + 2 <= lines:
            return [*_drawn(rows, samples, width), *legend]
    told = _in_words(samples, batches, width=width)
    room = lines - len(told) - 2
    rows = _rows(samples, {}, most=room)
    if len(rows) > room:
        rows, left = rows[: room - 1], rows[room - 1 :]
        files = [n for *_, n in left]
        patients = len({name for names, *_ in left for name in names})
        some = f"{min(files)} to {count(max(files), 'file')}" if min(files) < max(files) else count(files[0], "file")
        more = f"… and {count(patients, 'more patient')} in {count(len(left), 'other pattern')}, {some} each"
        return [*_drawn(rows, samples, width), more, *told]
    return [*_drawn(rows, samples, width), *told]


def design_table(samples: pd.DataFrame) -> pd.DataFrame:
    """The same as a table for a page: a patient a row, a time point a column; cells have files, kinds and batches."""
    samples = samples.reset_index(drop=True)
    times, kinds = _times(samples), _kinds(samples)
    several, batched = kinds.nunique() > 1, samples["batch"].nunique() > 1
    named = {}
    for label, days in samples.groupby("timepoint")["day"]:
        said = f" ({_days(days, 'day ')})"
        named[label] = str(label) + said * (str(label).lstrip("Dd") != str(int(days.min())) or days.nunique() > 1)

    def cell(part: pd.DataFrame) -> str:
        words = [f"{n} × {k}" if n > 1 else k for k, n in kinds[part.index].value_counts(sort=False).items()]
        said = ", ".join(words) if several else str(len(part))
        return said + (f" ({', '.join(sorted(part['batch'].unique(), key=_natural))})" if batched else "")

    cells = {key: cell(part) for key, part in samples.groupby(["patient", "arm", "timepoint"], sort=True)}
    table = pd.Series(cells).unstack().reindex(columns=times).fillna("")
    table = table.rename_axis(index=["patient", "arm"], columns=None).rename(columns=named).reset_index()
    named_rows = list(zip(table["arm"], table["patient"], strict=True))
    order = sorted(range(len(table)), key=lambda i: tuple(map(_natural, named_rows[i])))
    return table.iloc[order].reset_index(drop=True)


Rows = list[tuple[list[str], str, str, list[str], int]]  # patients, arm, kind, cells, files


def _rows(samples: pd.DataFrame, letters: dict[str, str], *, most: int) -> Rows:
    """A row per patient and kind where that is at most `most` rows and EACH patients, else per group of the same."""
    times, kinds = _times(samples), _kinds(samples)
    rows: Rows = []
    keyed = samples.assign(_kind=kinds)
    for (arm, patient, kind), part in keyed.groupby(["arm", "patient", "_kind"], sort=False):
        at = {t: p["batch"] for t, p in part.groupby("timepoint")}
        cells = [_cell(at.get(t), letters) for t in times]
        rows.append(([str(patient)], str(arm), str(kind), cells, len(part)))
    rows.sort(key=lambda row: (_natural(row[1]), _natural(row[0][0]), row[2]))
    if len(rows) <= most and samples["patient"].nunique() <= EACH:
        return rows
    groups: dict[tuple[str, str, tuple[str, ...]], tuple[list[str], int]] = {}
    for names, arm, kind, cells, n in rows:
        groups.setdefault((arm, kind, tuple(cells)), ([], n))[0].extend(names)
    grouped = [(names, arm, kind, list(cells), n) for (arm, kind, cells), (names, n) in groups.items()]
    if len(grouped) > most:  # what is common first
        return sorted(grouped, key=lambda row: -len(row[0]))
    return sorted(grouped, key=lambda row: (_natural(row[1]), _natural(row[0][0]), row[2]))


def _cell(batches: pd.Series | None, letters: dict[str, str]) -> str:
    if batches is None:
        return NONE
    own = "".join(sorted({letters[b] for b in batches})) if letters else ""
    return f"{len(batches)} {_short(own, LONGEST_BATCHES)}".strip()


def _drawn(rows: Rows, samples: pd.DataFrame, width: int) -> list[str]:
    """Header, days and rows; time points for which there is no room are counted in a last column."""
    times = _times(samples)
    shown = [samples["arm"].nunique() > 1, _kinds(samples).nunique() > 1]
    right = [times, _days_of(samples, times), *(cells for *_, cells, _ in rows)]
    for longest, of_time in SIZES:
        words = [("patient", "arm", "files"), ("day", "", "")]
        words += [
            (_names(names, longest), _short(arm, of_time), _short(kind, of_time)) for names, arm, kind, *_ in rows
        ]
        left = [[name, *compress(others, shown)] for name, *others in words]
        grid = [[_short(c, of_time) for c in row] for row in right]
        used = _wide(left)
        wide = _wide(grid)
        fit = len(times)
        if sum(used) + sum(wide) - 2 > width:
            last = _short(times[-1], of_time)
            room = width - sum(used) - len(f"{len(times)} more to {last}")
            fit = max((k for k in range(len(times)) if sum(wide[:k]) <= room), default=0)
            ends = [f"{len(times) - fit} more to {last}", "", *(_total(row[fit:]) for row in right[2:])]
            grid = [[*row[:fit], end] for row, end in zip(grid, ends, strict=True)]
        if fit >= min(LEAST_TIMES, len(times)):
            break
    pads = [*used, *_wide(grid)]
    texts = ([*own, *cells] for own, cells in zip(left, grid, strict=True))
    return ["".join(t.ljust(p) for t, p in zip(row, pads, strict=True)).rstrip()[:width] for row in texts]


def _wide(grid: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) + 2 for column in zip(*grid, strict=True)]


def _days_of(samples: pd.DataFrame, times: Sequence[str]) -> list[str]:
    """The days of the time points, and what of them is no blood, unless the names say it or a column does."""
    said = []
    for time in times:
        part = samples[samples["timepoint"] == time]
        tissue = "" if _mixed(samples) else str(part["tissue_or_product"].iloc[0])
        told = tissue in ("", "blood") or tissue in str(time).lower()
        said.append(_days(part["day"]) + ("" if told else f" {tissue}"))
    return said


def _total(cells: Sequence[str]) -> str:
    n = sum(int(c.split()[0]) for c in cells if c != NONE)
    return str(n) if n else NONE


def _legend(samples: pd.DataFrame, batches: Sequence[str], *, width: int) -> list[str]:
    """What the letters of batches mean, in at most three lines; none where there is one batch, or too many."""
    if not 1 < len(batches) <= len(LETTERS):
        return []
    files = samples["batch"].value_counts()
    for counted in (True, False):
        said = [
            f"{a} {b}" + f" ({count(int(files[b]), 'file')})" * counted for a, b in zip(LETTERS, batches, strict=False)
        ]
        lines = _wrapped("batches: ", said, width)
        if len(lines) <= (2 if counted else 3):
            return lines
    return []


def _in_words(samples: pd.DataFrame, batches: Sequence[str], *, width: int) -> list[str]:
    """The batches, as many as have room in two lines."""
    if len(batches) == 1:
        return [_short(f"one batch: {batches[0]}", width)]
    files = samples["batch"].value_counts()
    few, many = int(files.min()), int(files.max())
    each = count(few, "file") if few == many else f"{few} to {count(many, 'file')}"
    names = [_short(b, 24) for b in batches]
    for n in range(len(names), 0, -1):
        more = [] if n == len(names) else [f"… {len(names) - n} more"]
        lines = _wrapped(f"{len(names)} batches of {each}: ", [*names[:n], *more], width)
        if len(lines) <= 2:
            return lines
    return lines


def _wrapped(start: str, words: Sequence[str], width: int) -> list[str]:
    """Words with commas, none of them parted between lines."""
    kept = start + ", ".join(w.replace(" ", "\u00a0") for w in words)
    lines = textwrap.wrap(kept, width, subsequent_indent="  ", break_on_hyphens=False)
    return [line.replace("\u00a0", " ") for line in lines]


def _times(samples: pd.DataFrame) -> list[str]:
    return list(samples.sort_values(["day", "timepoint"], kind="stable")["timepoint"].drop_duplicates())


def _mixed(samples: pd.DataFrame) -> bool:
    """Whether a time point holds several of blood, product and donor, so that it does not tell which a file is of."""
    return bool((samples.groupby("timepoint")["tissue_or_product"].nunique() > 1).any())


def _kinds(samples: pd.DataFrame) -> pd.Series:
    """What was measured, as far as files differ: ``cytof``, ``rna of product``."""
    tissue = samples["tissue_or_product"]
    return samples["modality"].where((tissue == "blood") | (not _mixed(samples)), samples["modality"] + " of " + tissue)


def _days(days: pd.Series, before: str = "") -> str:
    low, high = int(days.min()), int(days.max())
    return f"{before}{low}" if low == high else f"{before.replace('day', 'days')}{low} to {high}"


def _names(names: Sequence[str], longest: int) -> str:
    """Names within so many letters: runs of numbers as ``P1 to P9``, and how many there are where some are left out."""
    if len(names) == 1:
        return _short(names[0], longest)
    parts: list[list[str]] = []
    for name in names:
        follows = parts and _next(parts[-1][-1]) == name
        parts[-1].append(name) if follows else parts.append([name])
    words = [w for part in parts for w in ([f"{part[0]} to {part[-1]}"] if len(part) > 2 else part)]
    text = ", ".join(words)
    if len(text) <= longest and len(words) == len(names):
        return text
    end = f" ({len(names)})"
    if len(text) + len(end) <= longest:
        return text + end
    kept = next((n for n in range(len(words), 0, -1) if len(", ".join(words[:n])) + 3 + len(end) <= longest), 0)
    return ", ".join([*words[:kept], "…"]) + end if kept else _short(words[0], longest - len(end)) + end


def _next(name: str) -> str:
    """The name with the next number at its end; "" without a number."""
    hit = re.fullmatch(r"(.*?)(\d+)", name)
    return f"{hit[1]}{int(hit[2]) + 1:0{len(hit[2])}d}" if hit else ""


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _natural(text: str) -> list[tuple[int, int, str]]:
    """A key that sorts P2 before P10."""
    return [(0, int(w), "") if w.isdecimal() else (1, 0, w) for w in re.split(r"(\d+)", str(text)) if w]
