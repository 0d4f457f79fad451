"""The MIFlowCyt page: reagents of the panel sheet, instruments of the files, gates, and what is not known."""

from __future__ import annotations

import json

import pandas as pd

from cimlnk.cohort.tables import PANELS
from cimlnk.common.tables import Schema, write_table
from cimlnk.cytof.tables import GATES
from cimlnk.report.blocks import Site
from cimlnk.report.pages.miflowcyt import TO_FILL_IN, page
from cimlnk.report.run import Run

LOOSE = Schema("loose", {}, extra=True)
CONFIG = {"cohort": {"id": "x", "title": "t", "description": None}}


def build(root, modality="cytof"):
    samples = [
        {"sample": s, "patient": s, "day": d, "timepoint": "t", "arm": "CIML", "tissue_or_product": "blood",
         "modality": modality, "path": f"/mnt/somebody/{s}.fcs", "batch": "1", "sha256": None}
        for s, d in (("P1", -7), ("P2", 7))
    ]  # fmt: skip
    write_table(pd.DataFrame(samples), root / "cohort/samples.parquet", LOOSE)
    panel = pd.DataFrame(
        {"channel": ["Yb176Di", "Er170Di", "Time"], "marker": ["CD56", "CD3", "Time"],
         "role": ["identity", "lineage", "time"], "cofactor": 5.0, "cluster": "no", "threshold": float("nan"),
         "clone": ["NCAM16.2", None, None], "supplier": None, "catalogue": None, "lot": None, "instrument": None,
         "modality": modality}
    )  # fmt: skip
    write_table(panel, root / "cohort/panel.parquet", PANELS)
    for sample, threshold, kept in (("P1", 1.5, 10), ("P2", 2.5, 30)):
        row = {
            "sample": sample, "step": 0, "gate": "nk", "parent": None, "n_in": 100, "n_out": kept, "n_out_low": 1,
            "n_out_high": 50, "channel": "Yb176Di", "marker": "CD56", "side": "above", "threshold": threshold,
            "threshold_low": 1.0, "threshold_high": 3.0, "method": "valley", "reason": None,
        }  # fmt: skip
        write_table(pd.DataFrame([row]), root / f"{modality}/gates/{sample}.parquet", GATES)
    write_table(pd.DataFrame({"cell": ["a"]}), root / f"{modality}/populations.parquet", LOOSE)
    (root / f"{modality}/features.json").write_text(json.dumps({"instruments": {"P1": "Helios 7", "P2": "Helios 7"}}))
    files = [p for p in root.rglob("*") if p.is_file()]
    return page(Run(root, files, CONFIG), Site(root.parent / "site", "t"))


def test_what_is_known_stands_there_and_what_is_not_is_marked(tmp_path):
    made = build(tmp_path / "r")
    tables = {s.id: s.blocks[0] for s in made.sections}
    known = {row[1]: row[2] for row in tables["checklist"].rows}
    assert known["Instrument"] == "Helios 7 (2 files)" and known["Date"] == TO_FILL_IN
    assert known["Experiment variables"] == "arm: CIML (2 patients); day: -7, 7"
    reagents = tables["reagents-cytof"]
    assert reagents.rows[0][3] == "NCAM16.2" and reagents.head[3] == "clone" and "lot" not in reagents.head
    assert "does not tell supplier, catalogue, lot" in reagents.caption
    assert "some of the 2 stained channels: clone (1)" in reagents.caption
    assert tables["gates-cytof"].rows == [
        ["NK", "all events", "CD56", "Yb176Di", "above", "2 (1.5 to 2.5)", "20.0 %", "valley"]
    ]
    texts = [c for t in tables.values() for row in t.rows for c in row]
    assert not any("somebody" in t for t in texts) and "P1.fcs" in texts
    assert "somebody" not in "".join(p.read_text() for p in (tmp_path / "site").rglob("*.csv"))


def test_a_cohort_without_cytometry_has_no_such_page(tmp_path):
    assert build(tmp_path / "r", "rna") is None
