"""The plan of a cohort's preparation, and what a step leaves for a file it cannot use."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from cimlnk.cohort.schemas import load_schema
from cimlnk.common.errors import Plain, UserError, UserErrors
from cimlnk.common.json import write_json
from cimlnk.common.tables import read_table
from cimlnk.cytof.barcodes.files import YIELDS, debarcode_file
from cimlnk.cytof.beads.files import normalise_file
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.plan import plan_preparation
from cimlnk.cytof.prepare import leave_out, read_acquisition, time_column, write_acquisition
from cimlnk.cytof.spillover.files import compensate_file


def settings(**on):
    """The four sections with their defaults from the schema; a step named with keys is switched on."""
    schema = load_schema("config/cytof")
    found = {}
    for step in ("bead_normalisation", "debarcoding", "spillover", "alignment"):
        keys = schema["properties"][step]["properties"]
        found[step] = {k: v["default"] for k, v in keys.items()}
        if step in on:
            found[step].update(on[step], enabled=True)
    return found


@pytest.fixture
def samples():
    rows = [("a", "raw/p1.fcs", "b1", "pre"), ("b", "raw/p1.fcs", "b1", "d7"), ("c", "raw/p2.fcs", "b2", "pre")]
    table = pd.DataFrame(rows, columns=["sample", "path", "batch", "timepoint"])
    return table.assign(arm="CIML", patient="p").set_index("sample", drop=False)


def test_with_everything_off_the_raw_files_are_read(samples):
    plan = plan_preparation(samples, settings())
    assert plan.steps == () and plan.training == () and plan.baseline == ()
    assert plan.folder_before(None) is None and plan.shown() == []
    assert plan.acquisitions == {"a": "raw/p1.fcs", "b": "raw/p1.fcs", "c": "raw/p2.fcs"}


def test_each_step_reads_what_the_one_before_wrote(samples):
    everything = settings(
        bead_normalisation={"baseline": "cohort"},
        debarcoding={"key": "key.csv"},
        spillover={"matrix": "m.csv"},
        alignment={},
    )
    plan = plan_preparation(samples, everything)
    assert plan.acquisitions == {"p1": "raw/p1.fcs", "p2": "raw/p2.fcs"} and plan.baseline == ("p1", "p2")
    assert plan.samples_in("p1") == ["a", "b"] and plan.training == ("a", "b", "c")
    pools = [
        "cytof/normalised/p1.svg",
        "cytof/normalised/p1.json",
        "cytof/normalised/p2.svg",
        "cytof/normalised/p2.json",
    ]
    assert plan.shown()[:4] == pools
    assert {"cytof/debarcoded/p2.svg", "cytof/debarcoded/p2.yields.parquet", "cytof/spillover.svg"} < set(plan.shown())
    assert {"cytof/compensated/c.svg", "cytof/compensated/c.json", "cytof/alignment/distances.svg"} < set(plan.shown())
    before = [plan.folder_before(s) for s in ("bead_normalisation", "debarcoding", "spillover", None)]
    assert before == [None, "normalised", "debarcoded", "compensated"]
    alone = plan_preparation(samples, settings(spillover={"matrix": "m.csv"}))
    assert [alone.folder_before(s) for s in ("spillover", None)] == [None, "compensated"]


def test_all_mistakes_of_a_config_are_told_together(samples):
    wrong = settings(
        bead_normalisation={"baseline": "reference", "reference": "p3"},
        debarcoding={},
        spillover={"single_stains": "s.fcs"},
        alignment={"keep": ["batch"]},
    )
    with pytest.raises(UserErrors) as told:
        plan_preparation(samples, wrong)
    assert [e.where for e in told.value.errors] == [
        "cytof.bead_normalisation.reference",
        "cytof.debarcoding.key",
        "cytof.spillover.stained_masses",
        "column batch",
    ]


def test_pools_need_names_of_their_own(samples):
    clash = samples.assign(path=["x/pool.fcs", "x/pool.fcs", "y/pool.fcs"])
    with pytest.raises(UserError, match=r"y/pool\.fcs.*other than that of x/pool\.fcs"):
        plan_preparation(clash, settings(debarcoding={"key": "k.csv"}))
    odd = samples.assign(path="raw/my pool.fcs")
    with pytest.raises(UserError, match="letters, digits"):
        plan_preparation(odd, settings(debarcoding={"key": "k.csv"}))


def test_a_left_out_file_says_why_and_goes_through_the_next_step(tmp_path):
    error = UserError("raw.fcs", "events", Plain("none"), "some")
    leave_out(error, tmp_path / "x.fcs", tmp_path / "x.json", figure=tmp_path / "x.svg")
    header = read_header(tmp_path / "x.fcs")
    assert header.n_events == 0 and header.text["CIMLNK_LEFT_OUT"] == str(error)
    assert json.loads((tmp_path / "x.json").read_text()) == {"left_out": True, "reason": str(error)}
    (tmp_path / "m.csv").write_text("sender,Yb171Di,Yb172Di\nYb171Di,1,0.04\nYb172Di,0,1\n")
    compensate_file(
        tmp_path / "x.fcs",
        tmp_path / "m.csv",
        **dict(
            zip(("compensated", "record", "figure"), [tmp_path / f"c.{e}" for e in ("fcs", "json", "svg")], strict=True)
        ),
    )
    assert read_header(tmp_path / "c.fcs").text["CIMLNK_LEFT_OUT"] == str(error)


def test_prepared_files_keep_what_the_raw_one_said(tmp_path):
    channels, markers = ["Time", "Yb176Di", "KIR/2"], ["", "CD56", "a|b"]
    events = np.arange(12, dtype=np.float32).reshape(4, 3)
    write_fcs(
        tmp_path / "raw.fcs", events, channels, markers=markers, metadata={"$CYT": "Helios", "$DATE": "01-JAN-2020"}
    )
    raw = read_acquisition(tmp_path / "raw.fcs")
    write_acquisition(tmp_path / "new.fcs", raw, events[1:], step="normalised", note="note")
    new = read_acquisition(tmp_path / "new.fcs")
    assert np.array_equal(new.events, events[1:]) and new.header.channels == raw.header.channels
    assert new.header.markers == raw.header.markers
    assert new.header.text["$CYT"] == "Helios" and new.header.text["CIMLNK_NORMALISED"] == "note"


def test_values_that_are_not_finite_are_refused(tmp_path):
    events = np.ones((5, 3), np.float32)
    events[2, 1] = np.nan
    write_fcs(tmp_path / "x.fcs", events, ["Time", "Yb171Di", "Yb172Di"])
    with pytest.raises(UserError, match=r"x\.fcs: channels Yb171Di: found values that are not finite"):
        read_acquisition(tmp_path / "x.fcs")


def test_a_file_without_events_is_told_or_passed_on(tmp_path):
    channels = [
        "Time",
        "Ce140Di",
        "Eu151Di",
        "Eu153Di",
        "Ho165Di",
        "Lu175Di",
        "Ir191Di",
        "Ir193Di",
        "Pd102Di",
        "Pd104Di",
    ]
    write_fcs(tmp_path / "x.fcs", np.empty((0, 10), np.float32), channels)
    beads = {**settings()["bead_normalisation"], "enabled": True}
    with pytest.raises(UserError, match="0 calibration beads"):
        normalise_file(
            tmp_path / "x.fcs",
            **dict(
                zip(
                    ("normalised", "record", "figure"),
                    [tmp_path / f"n.{e}" for e in ("fcs", "json", "svg")],
                    strict=True,
                )
            ),
            settings=beads,
        )
    (tmp_path / "key.csv").write_text("sample,102,104\na,1,0\nb,0,1\n")
    tables = [tmp_path / n for n in ("a.parquet", "y.parquet", "f.svg")]
    debarcode_file(
        tmp_path / "x.fcs",
        tmp_path / "key.csv",
        **dict(zip(("assignments", "yields", "figure"), tables, strict=True)),
        settings=settings()["debarcoding"],
    )
    assert read_table(tables[1], YIELDS)["n_assigned"].tolist() == [0, 0]


def test_a_file_without_a_clock_is_told():
    assert time_column(["Yb176Di", "time"]) == 1
    with pytest.raises(UserError, match="0 channels called Time"):
        time_column(["Yb176Di", "Tme"])


def test_json_has_no_nan(tmp_path):
    write_json(tmp_path / "x.json", {"b": np.float64("nan"), "a": np.arange(2), "c": (np.int64(1), {"d": np.inf})})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": [0, 1], "b": None, "c": [1, {"d": None}]}
