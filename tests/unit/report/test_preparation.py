"""The page of the preparation steps: a section with figures for every step that is on, nothing for one that is off."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from cimlnk.common.tables import write_table
from cimlnk.cytof.alignment.files import DISTANCES
from cimlnk.cytof.barcodes.files import YIELDS
from cimlnk.report.blocks import Figure, Site, Table, Text
from cimlnk.report.pages.preparation import LOOK, page
from cimlnk.report.run import Run

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
BEADS = {"n_events": 900, "n_beads": 50, "n_bead_doublets": 4, "drift_before": -0.2, "drift_after": 0.001}
YIELD = {"sample": "s1", "code": "102 104", "n_nearest": 9, "n_above_cutoff": 8, "n_assigned": 7, "cutoff": 0.2}


def results(root: Path, steps: list[str], files: list[str]) -> Run:
    """A results folder in which the given steps were done to `files`."""

    def text(name: str, content: str = SVG) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)

    for file in files:
        if "bead_normalisation" in steps:
            text(f"cytof/normalised/{file}.svg")
            text(f"cytof/normalised/{file}.json", json.dumps({**BEADS, "factor_min": 0.9, "factor_max": 1.3}))
        if "debarcoding" in steps:
            text(f"cytof/debarcoded/{file}.svg")
            rows = pd.DataFrame([{**YIELD, "expected_doublets": 0.001, "reason": None}])
            write_table(rows, root / f"cytof/debarcoded/{file}.yields.parquet", YIELDS)
        if "spillover" in steps:
            text(f"cytof/compensated/{file}.svg")
            text(f"cytof/compensated/{file}.json", json.dumps({"n_events": 900, "notes": ["139 sends nothing"]}))
    if "spillover" in steps:
        text("cytof/spillover.svg")
        text("cytof/spillover.csv", "sender,Yb171Di,Yb172Di\nYb171Di,1,0.04\nYb172Di,0,1\n")
    if "alignment" in steps:
        text("cytof/alignment/distances.svg")
        pairs = [("a", "b", "same batch", 0.1, 0.1), ("a", "c", "other batch", 0.4, 0.1)]
        write_table(
            pd.DataFrame(pairs, columns=list(DISTANCES.columns)), root / "cytof/alignment/distances.parquet", DISTANCES
        )
    return Run(root, [p for p in root.rglob("*") if p.is_file()], {})


def test_without_a_step_there_is_no_page(tmp_path):
    assert page(results(tmp_path / "r", [], ["s1"]), Site(tmp_path / "site", "t")) is None
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("step", "title", "pictures", "told"),
    [
        ("bead_normalisation", "Bead normalisation", ["normalised/s1.svg", "normalised/s2.svg"], "-20"),
        ("debarcoding", "Debarcoding", ["debarcoded/s1.svg", "debarcoded/s2.svg"], "102 104"),
        ("spillover", "Spillover", ["spillover.svg", "compensated/s1.svg", "compensated/s2.svg"], "139 sends nothing"),
        ("alignment", "Batch alignment", ["alignment.svg"], "other batch"),
    ],
)
def test_a_step_that_is_on_has_its_figures_what_to_look_for_and_numbers(tmp_path, step, title, pictures, told):
    found = page(results(tmp_path / "r", [step], ["s1", "s2"]), Site(tmp_path / "site", "t"))
    assert [s.title for s in found.sections] == [title]
    blocks = found.sections[0].blocks
    words = " ".join(b.body if isinstance(b, Text) else b.caption for b in blocks)
    assert LOOK[step] in words
    shown = [b.file for b in blocks if isinstance(b, Figure)]
    shown += [p for p in (f"figures/{n}" for n in pictures) if f'src="{p}"' in words]
    assert sorted(shown) == sorted(f"figures/{n}" for n in pictures)
    assert all((tmp_path / "site" / p).read_text() == SVG for p in shown)
    assert told in [v for b in blocks if isinstance(b, Table) for row in b.rows for v in row]


def test_figures_of_many_files_are_folded_away(tmp_path):
    for n, opened in ((2, 2), (3, 0)):
        run = results(tmp_path / f"r{n}", ["bead_normalisation"], [f"s{i}" for i in range(n)])
        body = page(run, Site(tmp_path / f"site{n}", "t")).sections[0].blocks[-1].body
        assert body.count("<details") == n and body.count("<details open>") == opened


def test_long_notes_are_cut_and_codes_of_other_pools_are_not_shown(tmp_path):
    run = results(tmp_path / "r", ["debarcoding", "spillover"], ["p1", "p2"])
    record = {"n_events": 9, "notes": ["send nothing: A, B, C, D, E", "receive nothing: A, B"]}
    run.files["cytof/compensated/p1.json"].write_text(json.dumps(record))
    codes = [("s1", 7, 0), ("s2", 0, 7), ("s3", 0, 0)]  # s3 has no event anywhere: that must be seen
    for i, pool in ((1, "p1"), (2, "p2")):
        rows = [{**YIELD, "sample": c[0], "n_nearest": c[i], "n_assigned": c[i], "reason": None} for c in codes]
        table = pd.DataFrame(rows).assign(expected_doublets=0.0)
        write_table(table, run.files[f"cytof/debarcoded/{pool}.yields.parquet"], YIELDS)
    codes, notes = (
        next(b for b in s.blocks if isinstance(b, Table)) for s in page(run, Site(tmp_path / "site", "t")).sections
    )
    assert [row[:2] for row in codes.rows] == [["p1", "s1"], ["p1", "s3"], ["p2", "s2"], ["p2", "s3"]]
    assert len(pd.read_csv(tmp_path / "site" / codes.file)) == 6
    assert notes.rows[0][2] == "send nothing: A, B, C … (5 channels); receive nothing: A, B"


def test_a_file_that_was_left_out_says_why(tmp_path):
    run = results(tmp_path / "r", ["bead_normalisation"], ["s1", "s2"])
    record = {"left_out": True, "reason": "no beads"}
    run.files["cytof/normalised/s2.json"].write_text(json.dumps(record))
    table = next(b for b in page(run, Site(tmp_path / "site", "t")).sections[0].blocks if isinstance(b, Table))
    assert [dict(zip(table.head, row, strict=True))["remark"] for row in table.rows] == ["", "no beads"]


def test_what_was_done_about_the_spillover_of_dyes_is_told(tmp_path):
    root = tmp_path / "r"
    (root / "flow/compensated").mkdir(parents=True)
    done = {"source": "keyword $SPILLOVER", "applied": True, "evidence": "96 % is seen: uncompensated"}
    for name, record in (
        (
            "s1",
            {"left_out": False, "n_events": 900, "compensation": done, "notes": ["spillover: x", "doublets by FSC-W"]},
        ),
        ("s2", {"left_out": True, "reason": "channels: found 24 raw detectors"}),
    ):
        (root / f"flow/compensated/{name}.json").write_text(json.dumps(record))
    built = page(Run(root, [p for p in root.rglob("*") if p.is_file()], {}), Site(tmp_path / "site", "t"))
    (section,) = built.sections
    text = str(section.blocks[0])
    assert "96 % is seen" in text and "raw detectors" in text and "doublets by FSC-W" in text
    assert "spillover: x" not in text
