"""``check CONFIG``: what a run would use and could tell, in seconds, on the console and as a page."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.cohort.command_line import check_place, check_results
from cimlnk.cohort.config import resolve
from cimlnk.cohort.files import same_files
from cimlnk.cohort.panel import UNREAD, rename_markers
from cimlnk.cohort.places import expand
from cimlnk.cohort.read import LINE
from cimlnk.cohort.rows import read_rows
from cimlnk.cohort.sheets import Cohort, load_cohort
from cimlnk.cohort.tables import PANEL
from cimlnk.cohort.words import count
from cimlnk.common.errors import Problems, UserError, UserErrors
from cimlnk.common.home import HOME, called, locate
from cimlnk.common.job import machine_fault
from cimlnk.common.yaml_file import read_yaml
from cimlnk.cytof.fcs.header import FcsHeader
from cimlnk.cytof.flow.panel import given_cofactors
from cimlnk.populations.definitions_file import load_definitions

from .check_console import report
from .check_design import WHO_WHEN, look_at_arms, look_at_costs, look_at_design, look_at_repeats, who_when
from .check_files import look_at_fcs, look_at_rna
from .check_flow import look_at_flow
from .check_panel import lineage_markers, odd_cofactors, populations_of_panel, try_gates
from .check_preparation import look_at_preparation
from .check_run import check_as_a_run_does
from .check_sheets import look_at_antibodies, look_at_donors
from .findings import NOTE, STOP, WARN, WORDS, Findings
from .marks import look_at_marks

GATED_PER_BATCH, GATED = 2, 6


def check_config(
    config: str | Path, base: str | Path = ".", pictures: str | Path | None = None
) -> tuple[str, Findings]:
    """Look at everything a run of `config` would use, without running anything.

    Parameters
    ----------
    config
        The config file.
    base
        Folder to which its paths refer.
    pictures
        Folder for pictures of the gates; none are drawn without it.

    Returns
    -------
    Id of the cohort, and the findings; :attr:`Findings.stops` says whether a run would not finish.

    Raises
    ------
    UserError
        If the config cannot be read as one; mistakes in sheets are among the findings.
    """
    base, path = Path(base), Path(config)
    findings = Findings(folder=Path(pictures) if pictures is not None else None)
    light: dict[str, FcsHeader] = {}
    cfg = resolve(_read(path), base, str(path))
    try:
        cohort: Cohort | None = load_cohort(cfg, base)
    except UserError as error:
        cohort = None
        for one in error.errors if isinstance(error, UserErrors) else [error]:
            findings.add(STOP, str(one))
    if cohort is not None:
        who_when(cohort.samples, findings)  # first on the page
    for text in cohort.warnings if cohort is not None else ():
        findings.add(WARN, text)
    sound = check_as_a_run_does(cfg, base, cohort, config=path, findings=findings)
    sheets_of = cfg["cohort"] | {
        "antibodies": cfg["rna"]["antibodies"], "donors": cfg["donors"]["sheet"], "flow_panel": cfg["flow"]["panel"],
    }  # fmt: skip
    look_at_marks(sheets_of, base, findings)
    samples = cohort.samples if cohort is not None else _rows_that_are_there(cfg, base)
    panel = cohort.panel if cohort is not None else _panel(cfg, base)
    there = samples[np.array([Path(str(p)).exists() for p in samples["path"]], dtype=bool)]  # no row keeps its columns
    absent = len(samples) - len(there)
    if absent:
        findings.add(NOTE, f"{count(absent, 'file')} not there yet (simulated or downloaded by the run): not looked at")
    fcs = there[there["modality"] == "cytof"].to_dict("records")
    flow = there[there["modality"] == "flow"].to_dict("records")
    rna = there[there["modality"] == "rna"].to_dict("records")
    for text in same_files(dict(zip(there["sample"], there["path"], strict=True))):
        findings.add(WARN, text)
    headers = look_at_fcs(fcs, panel, cfg["cytof"], findings=findings, lines=_lines(cfg, base))
    look_at_preparation(headers, cfg["cytof"], base, findings=findings)
    definitions = {m: locate(cfg["populations"][m]["definitions"], base) for m in ("cytof", "rna")}
    if flow:
        light = look_at_flow(flow, cfg, base, findings=findings, gate=cohort is not None and sound)
    cells: dict[str, Any] = {}
    if rna:
        called = {} if cohort is None else {s: f for s, f in cohort.antibodies.items() if "hashtag" in f}
        genes = load_definitions(definitions["rna"]).features() if sound else []
        cells = look_at_rna(rna, genes, findings, called=called, least=cfg["rna"]["nk"]["min_cells"])
        if cohort is not None:
            look_at_antibodies(cohort.antibodies, cells, findings)
    if cohort is not None:
        look_at_donors(cfg, cohort.samples, cells, base=base, findings=findings)
    sheets = [("cytof", panel)] if fcs or not flow else []
    if flow:
        sheets.append(("flow", cohort.flow_panel if cohort is not None else panel))
    for modality, markers in sheets:
        if sound and markers is not None and len(markers):
            lineage_markers(markers, cfg[modality]["nk_identity"], findings)
            if modality == "flow" and cohort is not None:
                given = given_cofactors(locate(cfg["flow"]["panel"] or cfg["cohort"]["panel"], base))
                odd_cofactors(markers.assign(cofactor=markers["channel"].map(given)), modality, findings)
            elif modality == "cytof" and cfg["cytof"]["input_scale"] in ("raw", "compensated"):
                odd_cofactors(markers, modality, findings)
            measured = set(markers.loc[~markers["role"].isin(UNREAD), "marker"])
            title = "Populations by protein" + (" (flow cytometry)" if len(sheets) > 1 and modality == "flow" else "")
            populations_of_panel(definitions["cytof"], measured, findings, title=title)
    if panel is not None and len(panel):
        chosen = [r for r in fcs if r["sample"] in headers]
        if cohort is not None and sound and chosen:
            some = pd.DataFrame(chosen).groupby("batch", sort=True).head(GATED_PER_BATCH).head(GATED)
            sheet = locate(cfg["cohort"]["panel"], base)
            gates = locate(cfg["cytof"]["gates"], base)
            try_gates(some.to_dict("records"), sheet, gates, settings=cfg["cytof"], seed=cfg["seed"], findings=findings)
    if cohort is not None:
        look_at_arms(cohort.samples, cfg, findings)
        look_at_design(cohort.samples, cfg["dynamics"]["baseline_timepoint"], findings, counts=cohort.counts)
        look_at_repeats(cohort.samples, findings)
        if cfg["cohort"]["counts"] is None:
            findings.add(NOTE, "no counts sheet: fractions only, no NK cells per microlitre")
        events = sum(h.n_events for h in (headers | light).values())
        look_at_costs(
            events,
            len(fcs) + len(flow),
            len(rna),
            paths=[Path(p) for p in there["path"]],
            cores=os.cpu_count() or 1,
            findings=findings,
        )
    elif len(samples) and samples["patient"].nunique() == 1 and samples["patient"].iloc[0] in ("unknown", None):
        findings.add(WARN, "the sheet does not say whose samples these are (patient 'unknown')")
    return cfg["cohort"]["id"], findings


def write_page(name: str, findings: Findings, folder: str | Path) -> Path:
    """The findings as one HTML page below `folder`."""
    from cimlnk.report.blocks import Page, Section, Site, Text, esc
    from cimlnk.report.site import render

    site = Site(folder, name)
    verdict = "A run would <b>not finish</b> as things are." if findings.stops else "A run would finish."
    if findings.summary:
        verdict += f" It is of {esc(findings.summary)}."
    page = Page("index.html", f"Check of {name}", verdict, menu="Check")
    section = Section("findings", "Findings")
    for level, kind in ((STOP, "warning"), (WARN, "warning"), (NOTE, "note")):
        texts = findings.of(level)
        if texts:
            items = "".join(f"<li>{esc(t)}</li>" for t in texts)
            section.blocks.append(
                Text(f'<div class="{kind}"><p><b>{WORDS[level]}</b></p><ul>{items}</ul></div>', "html")
            )
    page.sections.append(section)
    for title, table in findings.tables.items():
        section = Section(title.replace(" ", "-").lower(), title)
        if title == WHO_WHEN and findings.grid:
            section.blocks.append(Text("<pre>" + esc("\n".join(findings.grid)) + "</pre>", "html"))
        section.blocks.append(site.table(title, table, ""))
        page.sections.append(section)
    if findings.pictures:
        shown = [(picture.stem, title, picture) for title, picture in findings.pictures.items()]
        words = Text("Of one file of each batch: what is kept is blue, a cut taken from the batch is violet.")
        figures = site.folded("gates", shown, "gates", unfolded=len(shown))
        page.sections.append(Section("pictures", "Gates as they would be", [words, figures]))
    render(site, [page])
    return Path(folder) / page.file


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line of ``check``; 0 if a run would finish, 1 if not."""
    parser = argparse.ArgumentParser("check", description="What a run would use and could tell; nothing is run.")
    parser.add_argument("config", help="the config file of the cohort")
    given = parser.parse_args(arguments)
    with TemporaryDirectory() as pictures:
        try:
            check_place(Path.cwd(), HOME)
            name, findings = check_config(given.config, pictures=pictures)
        except UserError as error:
            print(f"cimlnk: error in the input:\n{error}", file=sys.stderr)
            return 1
        lines = report(name, findings)
        try:
            check_results([f"results/{name}/check"], [])
            lines.append(f"cimlnk: the same as a page: {write_page(name, findings, Path('results') / name / 'check')}")
        except (UserError, OSError) as error:
            told = error if isinstance(error, UserError) else machine_fault(error, "check")
            if told is None:
                raise
            lines.append(f"cimlnk: no page could be written: {told}")
    todo = (
        "mend what would stop it, and check again" if findings.stops else called("run", f"--configfile {given.config}")
    )
    print("\n".join([*lines, f"next: {todo}"]))
    return int(findings.stops)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        beside = path.parent.iterdir() if path.parent.is_dir() else []
        near = [str(p) for p in beside if p.suffix in (".yaml", ".yml")]
        raise UserError("command line", "CONFIG", str(path), "the path of a config file", near)
    content: Mapping[str, Any] = read_yaml(path)
    return content


def _rows_that_are_there(cfg: Mapping[str, Any], base: Path) -> pd.DataFrame:
    """Samples and their files as far as a faulty sheet tells them, for looking at the files all the same."""
    settings, none = cfg["cohort"], pd.DataFrame(columns=["sample", "path", "modality", "batch", "patient"])
    rows = read_rows(locate(settings["samples"], base), "samples", settings["samples"], problems=Problems())
    if rows is None:
        return none
    text, unset = expand(settings["data_root"] or ".")
    rows = rows.dropna(subset=["sample", "path", "modality"])
    root = base / text
    return rows.assign(path=[str(root / p) for p in rows["path"]]) if not unset else none


def _panel(cfg: Mapping[str, Any], base: Path) -> pd.DataFrame | None:
    name = cfg["cohort"]["panel"]
    rows = read_rows(locate(name, base), "panel", name, problems=Problems()) if name is not None else None
    words = [column for column, (kind, _) in PANEL.columns.items() if kind == "str"]
    if rows is None or rows[words].isna().any(axis=None):  # a word that is refused is empty here
        return None
    return PANEL.check(rename_markers(rows).drop(columns=LINE, errors="ignore"))


def _lines(cfg: Mapping[str, Any], base: Path) -> dict[str, int]:
    """Rows of the panel sheet by channel, for messages."""
    name = cfg["cohort"]["panel"]
    rows = read_rows(locate(name, base), "panel", name, problems=Problems()) if name is not None else None
    return {} if rows is None else dict(zip(rows["channel"], rows[LINE], strict=True))
