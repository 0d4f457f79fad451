"""Warnings: each kind is raised by what it is about, and by nothing else."""

import json

import numpy as np
import pandas as pd
import pytest

from cimlnk.front import collect, collect_populations, collect_sheets
from cimlnk.front.tables import KINDS, SEVERITIES
from cimlnk.front.warnings import collect_warnings, grouped, say_end, summary_lines

GATE = {
    "sample": "s1", "step": 1, "gate": "not_t", "parent": None, "n_in": 1000, "n_out": 600, "n_out_low": 590,
    "n_out_high": 610, "channel": "Er170Di", "marker": "CD3", "side": "below", "threshold": 2.0, "threshold_low": 1.9,
    "threshold_high": 2.1, "method": "valley", "reason": None,
}  # fmt: skip


def kinds(rows):
    return [(r["kind"], r["severity"], r["sample"]) for r in rows]


def gates(**changes):
    return pd.DataFrame([GATE | changes])


def test_a_gate_by_its_own_valley_says_nothing():
    assert collect.of_gates("cytof", gates()) == []


def test_a_cut_from_elsewhere_is_told_unless_it_removes_nothing():
    assert kinds(collect.of_gates("cytof", gates(method="edge", reason="no valley"))) == [
        ("fallback cut", "caution", "s1")
    ]
    assert kinds(collect.of_gates("cytof", gates(method="pool", n_out=999))) == [("fallback cut", "note", "s1")]
    assert collect.of_gates("cytof", gates(gate="singlets (Width high)", method="edge")) == []


def test_gates_that_remove_nearly_all_or_nothing_are_told_but_few_nk_cells_are_no_fault_of_the_gate():
    assert kinds(collect.of_gates("cytof", gates(n_out=40))) == [("gate keeps nearly nothing", "serious", "s1")]
    assert kinds(collect.of_gates("cytof", gates(n_out=1000))) == [("gate keeps everything", "note", "s1")]
    assert collect.of_gates("cytof", gates(gate="nk", n_out=40)) == []
    assert collect.of_gates("cytof", gates(n_in=0, n_out=0)) == []
    skipped = gates(method="skipped", reason="no CD19 in the panel", threshold=np.nan)
    assert kinds(collect.of_gates("cytof", skipped)) == [("gate skipped", "note", "s1")]


def clusters(**counts):
    """Cells of clusters 0 and 1 by patient."""
    rows = [
        (f"{p}_a", k, "CD56dim_KIR" if k else "CD56dim") for p, n in counts.items() for k in (0, 1) for _ in range(n[k])
    ]
    return pd.DataFrame(rows, columns=["sample", "cluster", "population"])


def test_a_cluster_that_is_one_patients_is_told_and_chance_is_not():
    patients = pd.DataFrame({"sample": [f"{p}_a" for p in "ABCD"], "patient": list("ABCD")})
    patients = patients.assign(tissue_or_product="blood", timepoint="pre")
    found = collect_populations.of_patients(clusters(A=(20, 90), B=(90, 4), C=(90, 3), D=(80, 3)), patients)
    assert kinds(found) == [("clusters follow patients", "caution", None)]
    assert found[0]["text"] == (
        "1 of 2 clusters (26 % of the cells) are nearly one patient's: 1 (CD56dim KIR+, 90 % A)".replace(" %", "%")
    )
    assert collect_populations.of_patients(clusters(A=(20, 60), B=(60, 20), C=(60, 20), D=(60, 20)), patients) == []
    assert collect_populations.of_patients(clusters(A=(20, 90), B=(90, 4)), patients) == [], "of two patients"
    assert collect_populations.of_patients(clusters(A=(900, 900), B=(9, 5), C=(9, 5)), patients) == [], (
        "most cells are A's anyway"
    )


def test_a_cluster_of_a_kind_of_sample_that_one_patient_alone_has_is_no_donors_effect():
    patients = pd.DataFrame({"sample": [f"{p}_a" for p in "ABCD"], "patient": list("ABCD")})
    patients = patients.assign(tissue_or_product=["product", "blood", "blood", "blood"], timepoint="pre")
    assert collect_populations.of_patients(clusters(A=(0, 90), B=(90, 4), C=(90, 3), D=(80, 3)), patients) == []
    patients = patients.assign(tissue_or_product="blood")
    assert kinds(collect_populations.of_patients(clusters(A=(0, 90), B=(90, 4), C=(90, 3), D=(80, 3)), patients)) != []


def test_left_out_and_nearly_empty_samples_are_told():
    summary = pd.DataFrame(
        {"sample": ["a", "b", "c", "d"], "n_events": [9, 900, 900, 900], "n_nk": [0, 0, 49, 50],
         "n_lymphocytes": [np.nan, 1234.0, 500.0, 500.0],
         "left_out": [True, False, False, False], "reason": ["broken", None, None, None]}
    )  # fmt: skip
    assert kinds(collect.of_summary("cytof", summary)) == [
        ("sample left out", "serious", "a"), ("few NK cells", "serious", "b"), ("few NK cells", "caution", "c"),
    ]  # fmt: skip
    none = collect.of_summary("cytof", summary)[1]
    assert none["text"] == "0 NK cells among 1,234 lymphocytes: counted as none"
    assert none["remedy"].startswith("Nothing to mend where")
    assert collect.of_summary("rna", summary)[1]["text"] == "0 NK cells among 900 events"


def lineages(nk_lineage, nk_gates, b_cells=100):
    counts = {"T": 700, "B": b_cells, "monocyte": 100, "NK": 100}
    return pd.DataFrame(
        [{"sample": "s1", "lineage": k, "n_cells": n, "n_nk_lineage": nk_lineage, "n_nk_gates": nk_gates}
         for k, n in counts.items()]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("lineage", "gate", "expected"),
    [(100, 98, []), (100, 60, ["caution"]), (100, 2, ["serious"]), (6, 1, []), (100, 0, ["serious"])],
)
def test_nk_counts_that_disagree_are_told_by_their_ratio(lineage, gate, expected):
    samples = pd.DataFrame({"sample": ["s1"], "tissue_or_product": ["blood"]})
    rows = collect.of_lineages(lineages(lineage, gate), samples)
    assert [r["severity"] for r in rows if r["kind"] == "NK counts disagree"] == expected


def test_an_absent_lineage_is_told_in_blood_only():
    for tissue, expected in (("blood", [("lineage missing", "note", "s1")]), ("product", [])):
        samples = pd.DataFrame({"sample": ["s1"], "tissue_or_product": [tissue]})
        assert kinds(collect.of_lineages(lineages(100, 100, b_cells=0).assign(), samples)) in ([], expected)
    many = lineages(100, 100, b_cells=0).assign(n_cells=lambda t: t["n_cells"] * 10)
    blood = pd.DataFrame({"sample": ["s1"], "tissue_or_product": ["blood"]})
    (row,) = collect.of_lineages(many, blood)
    assert row["subject"] == "B" and row["text"].endswith("live single events are B cells")
    none = many.assign(n_cells=many["n_cells"].where(many["lineage"] != "monocyte", 0))
    assert any(r["text"].endswith(" are monocytes") for r in collect.of_lineages(none, blood))


@pytest.mark.parametrize(
    ("recall", "error", "expected"),
    [
        (0.95, 0.0, []),
        (0.945, 0.002, []),
        (0.94, 0.002, ["caution"]),
        (0.6, 0.01, ["caution"]),
        (0.3, 0.01, ["serious"]),
    ],
)
def test_neighbours_that_the_search_missed_are_told_unless_it_may_be_chance(recall, error, expected):
    rows = collect_populations.of_graph("rna", {"recall": recall, "recall_error": error, "recall_asked": 0.95})
    assert [r["severity"] for r in rows] == expected
    assert all(f"{recall:.1%}" in r["text"] and "95.0%" in r["text"] for r in rows)


@pytest.mark.parametrize("told", [0.38, 0.96])
def test_a_run_whose_search_fell_short_says_so_at_its_end(tmp_path, told):
    (tmp_path / "cohort").mkdir()
    (tmp_path / "rna").mkdir()
    samples = {"sample": ["a"], "patient": ["p"], "day": [0], "timepoint": ["pre"], "path": ["a"], "modality": ["rna"]}
    pd.DataFrame(samples | {"tissue_or_product": ["blood"]}).to_parquet(tmp_path / "cohort/samples.parquet")
    pd.DataFrame({"patient": [], "day": [], "nk_per_ul": []}).to_parquet(tmp_path / "cohort/counts.parquet")
    (tmp_path / "cohort/design.json").write_text("{}")
    graph = {"recall": told, "recall_error": 0.006, "recall_asked": 0.95}
    (tmp_path / "rna/graph.json").write_text(json.dumps(graph))
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    table = collect_warnings(root=tmp_path, files=files, baseline="pre")
    table.to_parquet(tmp_path / "warnings.parquet")
    last = say_end(tmp_path / "warnings.parquet", "index.html")
    assert ("serious: rna: neighbours missed: 38.0% of" in last) == (told < 0.9)


def test_unassigned_cells_are_told_for_the_run_or_else_per_sample():
    annotation = pd.DataFrame({"population": ["unassigned"], "n_cells": [5], "reason": ["needs CD127"]})
    few = pd.DataFrame({"sample": ["a"] * 10 + ["b"] * 40, "population": ["unassigned"] * 5 + ["CD56dim"] * 45})
    assert kinds(collect_populations.of_populations("rna", few, annotation)) == [("unassigned cells", "caution", "a")]
    most = few.assign(population="unassigned")
    (row,) = collect_populations.of_populations("rna", most, annotation)
    assert row["severity"] == "serious" and "needs CD127" in row["text"] and row["sample"] is None


def test_a_missing_baseline_is_told_unless_the_counts_have_one_or_there_is_one_time_point():
    samples = pd.DataFrame(
        {"sample": list("abcd"), "patient": ["p1", "p1", "p2", "p2"], "day": [-3, 7, 7, 28],
         "timepoint": ["pre", "D7", "D7", "D28"], "modality": "cytof", "tissue_or_product": "blood"}
    )  # fmt: skip
    none = pd.DataFrame({"patient": [], "day": [], "nk_per_ul": []})
    assert [r["subject"] for r in collect_sheets.of_sheets(samples, none, "pre")] == ["p2"]
    counts = pd.DataFrame({"patient": ["p1", "p1", "p2", "p2", "p2"], "day": [-3, 7, -1, 7, 28]})
    counts["nk_per_ul"] = [10.0, np.nan, 8.0, 90.0, 40.0]
    assert collect_sheets.of_sheets(samples, counts, "pre") == []
    assert collect_sheets.of_sheets(samples.iloc[[0, 2]].assign(patient=["p1", "p2"]), none, "pre") == []
    (lost,) = collect_sheets.of_sheets(samples, counts.assign(nk_per_ul=[10.0, 0.0, 8.0, 90.0, 40.0]), "pre")
    assert lost["kind"] == "count of zero" and lost["subject"] == "p1" and "day 7" in lost["text"]


def test_equal_files_zero_markers_and_missing_thresholds_are_told():
    twice = collect_sheets.of_hashes("cytof", {"a": "1", "b": "2", "c": "1"})
    assert kinds(twice) == [("same file twice", "serious", "c")]
    values = np.ones((4, 2), np.float32)
    values[2:, 1] = 0
    (row,) = collect_sheets.of_values(values, ["CD3", "CD14"], ["x", "y"], batch=np.array([0, 0, 1, 1]))
    assert row["subject"] == "CD14" and "batch y" in row["text"]
    thresholds = pd.DataFrame(
        {"feature": ["CD57", "CD34"], "threshold": [3.0, np.nan], "method": ["valley", "none"], "reason": [None, "one"]}
    )
    assert [r["subject"] for r in collect_populations.of_thresholds("cytof", thresholds)] == ["CD34"]


def test_the_table_is_sorted_closed_and_said_in_few_lines():
    rows = [
        collect.warning("cytof", "cytof", "fallback cut", severity="note", text="x", sample=f"s{i}", subject="nk")
        for i in range(40)
    ]
    rows.append(
        collect.warning(
            "all", "cohort", "batch confounded", severity="serious", text="y" * 400, sample=None, subject="batch"
        )
    )
    table = collect.table_of(rows)
    assert table["severity"].iloc[0] == SEVERITIES[0] and len(table) == 41
    assert list(grouped(table)["n"]) == [1, 40]
    lines = summary_lines(table)
    assert len(lines) == 2 and max(map(len, lines)) <= 150 and "39 more" in lines[1]
    with pytest.raises(ValueError, match="no such warning"):
        collect.warning("cytof", "cytof", "something", severity="note", text="x")
    assert all(KINDS.values())
    assert len(collect.table_of([])) == 0


def test_markers_of_some_files_only_are_told_once_each():
    table = pd.DataFrame(
        {"sample": ["a", "a", "b", "b"], "marker": ["CD57", "CD16"] * 2, "measured": [True, True, False, True]}
    )
    (row,) = collect_sheets.of_availability(table)
    assert row["subject"] == "CD57" and "not measured in 1 of 2 files (b)" in row["text"]


def test_the_console_calls_populations_as_the_pages_do():
    text = "30% of all NK cells bear no name; mostly: no CD56dim_KIR: KIR is not positive"
    row = collect.warning("rna", "populations", "unassigned cells", severity="caution", text=text)
    assert "no CD56dim KIR+: KIR" in summary_lines(collect.table_of([row]))[0]
