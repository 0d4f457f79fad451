"""The Methods paragraph holds the run's own numbers."""

from __future__ import annotations

import json

import pandas as pd

from cimlnk.common.tables import Schema, write_table
from cimlnk.report.methods import paragraphs
from cimlnk.report.run import Run

LOOSE = Schema("LOOSE", {}, extra=True)


def test_numbers_are_those_of_the_run(tmp_path):
    samples = pd.DataFrame(
        {"sample": ["a", "b"], "patient": ["P1", "P1"], "day": [-7, 28], "arm": "CIML", "modality": "cytof"}
    )
    summary = pd.DataFrame(
        {"sample": ["a", "b"], "left_out": [False, True], "n_events": [1234, 0], "n_nk": [321, 0], "reason": None}
    )
    named = pd.DataFrame({"cluster": [0, 1], "population": ["CD56dim_KIR", "unassigned"], "n_cells": [75, 25]})
    tables = {
        "cohort/samples": samples, "cytof/summary": summary, "cytof/annotation": named,
        "cytof/populations": named[["cluster"]],
    }  # fmt: skip
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.parquet", LOOSE)
    (tmp_path / "cytof/graph.json").write_text(json.dumps({"recall": 0.9512}))
    (tmp_path / "cytof/clustering.json").write_text(json.dumps({"resolution": 1.5}))
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    text = " ".join(
        paragraphs(Run(tmp_path, files, {"graph": {"k": 15}, "seed": 1, "claims": {"arms": {"treated": "CIML"}}}))
    )
    for words in (
        "1 patient (CIML (n = 1)) contributed 2 files of mass cytometry", "days -7 to 28", "1,234 events in 1 file,",
        "321 were live", "1 sample was left out", "15 nearest neighbours (measured recall 0.951)", "resolution 1.5",
        "(2 clusters)", "CD56dim KIR+", "25.0% of the cells stayed unassigned", "doi:10.1038/s41598-019-41695-z",
    ):  # fmt: skip
        assert words in text, (words, text)
