"""What a user's files go through, without Snakemake; and ways to spoil them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import CYTOF, Lab

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^(?P<file>.+?): (?P<where>.+?): found (?P<found>.+), expected (?P<expected>.+)$")


def load(lab: Lab):
    """What Snakemake does before anything is run."""
    from cimlnk.cohort.config import resolve
    from cimlnk.cohort.sheets import load_cohort

    cfg = resolve(lab.config, ROOT, "lab.yaml")
    return cfg, load_cohort(cfg, ROOT)


def make_cytof(lab: Lab, sample: str = CYTOF[1]):
    """What rule `cytof_cells` does."""
    from cimlnk.cytof.cells import make_cells

    cfg, _ = load(lab)
    make_cells(
        fcs=lab.fcs(sample), sample=sample, batch="day1", panel=lab.base / "panel.tsv",
        gate_file=ROOT / cfg["cytof"]["gates"], pool=None, settings=cfg["cytof"], seed=1,
        output=lab.base / "cells.h5ad", gates=lab.base / "gates.parquet", provenance={},
    )  # fmt: skip


def make_rna(lab: Lab, raw: Path):
    """What rule `rna_cells` does."""
    from cimlnk.rna.cells import make_cells

    cfg, _ = load(lab)
    make_cells(
        raw=str(raw), sample="x", lineages=str(ROOT / cfg["rna"]["lineages"]), settings=cfg["rna"], seed=1,
        output=str(lab.base / "cells.h5ad"), gates=str(lab.base / "gates.parquet"), provenance={},
    )  # fmt: skip


def one_message(run: Callable[[], object], file: str, where: str, *, words: str) -> None:
    """`run` fails with exactly one complete message of the house's form."""
    from cimlnk.common.errors import UserError

    with pytest.raises(UserError) as caught:
        run()
    lines = str(caught.value).splitlines()
    assert len(lines) == 1, lines
    parts = LINE.match(lines[0])
    assert parts, f"not 'file: where: found …, expected …': {lines[0]}"
    assert file in parts["file"], lines[0]
    assert where in lines[0] and words in lines[0], lines[0]


def events_of(path: Path):
    from cimlnk.cytof.fcs.header import read_events, read_header

    header = read_header(path)
    return read_events(header), list(header.channels), list(header.markers)


def rewrite(path: Path, change: Callable) -> None:
    """Put `change(events, channels, markers)` in the place of an FCS file."""
    from cimlnk.cytof.fcs.write import write_fcs

    events, channels, markers = change(*events_of(path))
    write_fcs(path, events, channels, markers=markers)


def without(channel: str):
    def change(events, channels, markers):
        keep = [i for i, c in enumerate(channels) if c != channel]
        return events[:, keep], [channels[i] for i in keep], [markers[i] for i in keep]

    return change
