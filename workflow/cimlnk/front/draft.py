"""``draft FOLDER``: a sample sheet, a panel sheet and a config made from a folder of files, every guess marked."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.cohort.describe import expectation
from cimlnk.cohort.read import REMARKS
from cimlnk.cohort.schemas import config_schema
from cimlnk.cohort.words import count, listed
from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.home import called
from cimlnk.common.markers import read_name
from cimlnk.cytof.fcs.header import FcsHeader, read_events, read_header
from cimlnk.cytof.flow.instrument import check_fluorescence, foreign_to_mass
from cimlnk.cytof.metals import parse_metal
from cimlnk.rna.folder import TenxFiles

from .design_grid import LINES, WIDTH, design_grid
from .draft_config import cohort_config, flow_config, sheets_config
from .found import Found, look
from .gather import files_of, first_of, left_over, link, linked_path, parts_within, sheets_beside, split_path
from .guess_panel import guess_panel
from .guess_samples import guess_samples
from .marks import BETWEEN, said_once, sheet_text
from .scale import Scale, guess_scale
from .split_h5ad import Parts, write_parts
from .words_of_names import parse_date

ONLY_METAL = re.compile(r"\(?[A-Za-z]*\d{2,3}[A-Za-z]*\)?(D[id])?")
LEAST_MARKERS = 3  # known ones among the channels' names, which are then the markers
MOST_NOTES = 10  # of a kind on the console
LEAST_GRID = 10  # lines
READ_EVENTS = 20_000  # events of the first files, to tell the scale


@dataclass
class Draft:
    """What will be written, and what to tell the user."""

    id: str
    samples: pd.DataFrame
    panel: pd.DataFrame | None
    config: str
    notes: list[str]
    flow_panel: pd.DataFrame | None = None  # beside the panel of mass cytometry files, where there are both
    donors: pd.DataFrame | None = None
    antibodies: pd.DataFrame | None = None
    parts: list[Parts] = field(default_factory=list)  # samples that share an h5ad, to be written as files of their own
    flat: dict[str, TenxFiles] = field(default_factory=dict)  # … and whose files share a folder, to be linked into one


def make_draft(folder: str | Path, name: str | None = None) -> Draft:
    """Guess a cohort from the files of a folder; nothing is written.

    Raises
    ------
    UserError
        If the name cannot be an id, there is no such folder, or nothing in it that can be used.
    """
    if name is not None:
        _check_id(name)
    found = look(folder)
    cohort = name or _name(found.folder)
    notes = list(found.notes)
    headers, bad = _headers(found)
    notes += bad
    names = found.names()
    usable = [p for p in found.data if p.suffix.lower() != ".fcs" or p in headers]
    if not usable and not found.flat:
        raise UserError(
            found.folder, "files", Plain("none that can be read"), "at least one; the first says: " + bad[0]
        )
    kinds = {p: "flow" if foreign_to_mass(h) else "cytof" for p, h in headers.items()}
    parts, unread = parts_within(found)
    notes += unread
    files, described, source = files_of(found, usable, kinds, parts=parts, cohort=cohort)
    dates = {names[p]: parse_date(h.text.get("$DATE")) for p, h in headers.items()}
    samples = guess_samples(files, described, source, dates=dates)
    donors, antibodies = sheets_beside(found, samples, files, parts=parts, notes=notes)
    notes += left_over(found, described, donors=donors, antibodies=antibodies)
    panel, identity, scale = None, None, None
    mass = [h for p, h in headers.items() if kinds[p] == "cytof"]
    light = [h for p, h in headers.items() if kinds[p] == "flow"]
    if mass:
        channels, absent = _union(mass)
        scale = _scale(mass)
        panel, identity = guess_panel(channels, absent, cofactor=scale.cofactor)
    flow_panel, flow_identity = guess_panel(*_union(light), cofactor=None, light=True) if light else (None, None)
    section = "flow" if light else "cytof"
    notes += [f"{w.name}: a FlowJo workspace, of use in {section}.manual_gates.file" for w in found.workspaces]
    text = cohort_config(
        cohort,
        found.folder,
        samples,
        identity=identity,
        scale=scale,
        panel=panel is not None or flow_panel is not None,
        workspaces=found.workspaces if not light else (),
    )
    if light:
        text += flow_config(cohort, flow_identity, own_panel=bool(mass), workspaces=found.workspaces)
    text += sheets_config(cohort, donors, antibodies)
    if panel is None:
        panel, flow_panel = flow_panel, None
    return Draft(cohort, samples, panel, text, notes, flow_panel, donors, antibodies, list(parts.values()), found.flat)


def write_draft(draft: Draft, base: str | Path = ".") -> list[Path]:
    """Write the sheets and the config below ``config/`` of `base`.

    Raises
    ------
    UserErrors
        If one of them is there already: nothing is overwritten, and nothing is written then.
    """
    base = Path(base)
    targets = {p.path: {s: base / split_path(draft.id, s) for s in p.rows} for p in draft.parts}
    places = {str(split_path(draft.id, s)): str(t.resolve()) for v in targets.values() for s, t in v.items()}
    links = {start: base / linked_path(draft.id, start) for start in draft.flat}
    places |= {str(linked_path(draft.id, start)): str(folder.resolve()) for start, folder in links.items()}
    samples = draft.samples.assign(path=draft.samples["path"].replace(places))
    texts = {base / f"config/{draft.id}.yaml": draft.config}
    texts[base / f"config/samples/{draft.id}.tsv"] = sheet_text(samples)
    if draft.panel is not None:
        texts[base / f"config/panels/{draft.id}.tsv"] = sheet_text(draft.panel, "marker")
    if draft.flow_panel is not None:
        texts[base / f"config/panels/{draft.id}_flow.tsv"] = sheet_text(draft.flow_panel, "marker")
    for kind, sheet in (("donors", draft.donors), ("antibodies", draft.antibodies)):
        if sheet is not None and len(sheet):
            texts[base / f"config/{kind}/{draft.id}.tsv"] = sheet_text(sheet)
    problems = Problems()
    for path in [*texts, *links.values(), *(t for v in targets.values() for t in v.values())]:
        if path.exists():
            problems.add(path, "file", Plain("it is there already"), "no such file: give another --id, or remove it")
    problems.raise_if_any()
    for part in draft.parts:
        write_parts(part, targets[part.path])
    for start, files in draft.flat.items():
        link(files, links[start])
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(texts)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of ``draft``."""
    parser = argparse.ArgumentParser("draft", description="Make sheets and a config from a folder of files.")
    parser.add_argument("folder", help="FCS files, 10x folders, .h5, .h5ad; tables that describe them")
    parser.add_argument("--id", help="short name of the cohort (default: the folder's)")
    given = parser.parse_args(arguments)
    try:
        draft = make_draft(given.folder, given.id)
        written = write_draft(draft)
    except UserError as error:
        print(f"cimlnk: error in the input, nothing was written:\n{error}", file=sys.stderr)
        return 1
    print("\n".join(report(draft, written)))
    return 0


def report(draft: Draft, written: Sequence[Path]) -> list[str]:
    """What was found and guessed, in a screen's worth of lines: the design as a grid, and each reason once."""
    samples, panel = draft.samples, draft.panel
    head = [f"wrote {path}" for path in written]
    batches, arms = count(samples["batch"].nunique(), "batch"), sorted(samples["arm"].unique())
    if len(arms) > 1:
        batches += f", {count(len(arms), 'arm')} ({listed(arms)})"
    head.append(
        f"{count(len(samples), 'file')}, {count(samples['patient'].nunique(), 'patient')}, time points "
        f"{', '.join(samples.sort_values('day')['timepoint'].unique()[:8])}, {batches}"
    )
    lines = []
    reasons = list(samples[REMARKS].str.split(BETWEEN).explode().value_counts().items())
    for reason, n in reasons[:MOST_NOTES]:
        lines.append(f"  ? {reason} ({count(n, 'row')})")
    if len(reasons) > MOST_NOTES:
        lines.append(f"  ? and {count(len(reasons) - MOST_NOTES, 'more reason')} in the sample sheet")
    if panel is not None:
        used = panel[panel["role"] != "ignore"]
        lines.append(f"{len(used)} of {len(panel)} channels used, {(panel['cluster'] == 'yes').sum()} for clustering")
        marks = said_once(panel, "marker")
        lines += [f"  ? {said}" for said in marks.shared]
        odd = [said != "" for said in marks.rows]
        for row, said in zip(panel[odd].to_dict("records"), filter(None, marks.rows), strict=True):
            lines.append(f"  ? {row['channel']} = {row['marker']} ({row['role']}): {said}")
        if sum(odd) > MOST_NOTES:
            lines[MOST_NOTES - sum(odd) :] = [f"  ? and {count(sum(odd) - MOST_NOTES, 'more channel')}"]
    lines += [f"  ! {note}" for note in draft.notes[:MOST_NOTES]]
    if len(draft.notes) > MOST_NOTES:
        lines.append(f"  ! and {len(draft.notes) - MOST_NOTES} more notes like these")
    then = called("check", f"config/{draft.id}.yaml")
    lines.append(f"next: look at what is marked ? in these files and take the marks away, then: {then}")
    taken = sum(-(-len(line) // WIDTH) for line in [*head, *lines])
    grid = design_grid(samples, lines=max(LEAST_GRID, LINES - taken), width=WIDTH - 2)
    return [*head, *(f"  {line}" for line in grid), *lines]


def _name(folder: Path) -> str:
    text = re.sub(r"[^\w.-]+", "_", folder.resolve().name).strip("_.-")
    return text[:60] or "cohort"


def _check_id(name: str) -> None:
    rule = config_schema()["properties"]["cohort"]["properties"]["id"]
    if len(name) > rule["maxLength"] or not re.search(rule["pattern"], name):
        raise UserError("command line", "--id", name, expectation(rule))


def _headers(found: Found) -> tuple[dict[Path, FcsHeader], list[str]]:
    good: dict[Path, FcsHeader] = {}
    bad: dict[str, list[str]] = {}  # what is wrong, without the file's name -> the files
    for path in found.fcs:
        try:
            header = read_header(path)
            if foreign_to_mass(header):
                check_fluorescence(header)
            good[path] = header
        except UserError as error:
            bad.setdefault(str(error).removeprefix(f"{path}: "), []).append(str(path.relative_to(found.folder)))
    words = [f"left out: {first_of(files, 3)}: {why}" for why, files in bad.items()]
    return good, words


def _union(headers: Sequence[FcsHeader]) -> tuple[list[tuple[str, str]], dict[str, int]]:
    """Channels of all files with their commonest label, in the first file's order, and how many files lack each.

    One channel may be spelled in several ways (``CD19`` and ``cd19``, ``Nd142Di`` and ``(Nd142)Dd``): the panel sheet
    finds it by any of them. Where a file has the metal or dye in $PnS and the marker in $PnN, the latter is the label.
    """
    labels: dict[object, list[str]] = {}
    spelled: dict[object, str] = {}
    for header in headers:
        own = header.channels if header.swapped or _named_by_channel(header) else header.markers
        for channel, label in zip(header.channels, own, strict=True):
            # a channel that names its marker too is itself: the next panel may have another marker on that metal
            key = (ONLY_METAL.fullmatch(channel) and parse_metal(channel)) or channel.casefold()
            spelled.setdefault(key, channel)
            labels.setdefault(key, []).append(label)
    channels = [(spelled[c], pd.Series(v).mode().iloc[0]) for c, v in labels.items()]
    return channels, {spelled[c]: len(headers) - len(v) for c, v in labels.items() if len(v) < len(headers)}


def _named_by_channel(header: FcsHeader) -> bool:
    """Whether the markers stand in $PnN, and what is in $PnS names none (dyes)."""
    in_n, in_s = (
        sum(read_name(w).marker is not None for w in names if w) for names in (header.channels, header.markers)
    )
    return in_n >= LEAST_MARKERS and in_n > 2 * in_s and any(header.markers)


def _scale(headers: Sequence[FcsHeader]) -> Scale:
    first = min(headers, key=lambda h: (abs(h.n_events - READ_EVENTS), str(h.path)))
    skip = {"time", "event_length", "cell_length", "center", "offset", "width", "residual", "beaddist"}
    wanted = [c for c in first.channels if c.lower() not in skip]
    events = read_events(first, wanted)
    step = max(1, len(events) // READ_EVENTS)
    return guess_scale(np.asarray(events[::step]), first.channels, first.text)
