"""Tables and captions as a reader meets them: nothing twice, the program's words spoken, like rows gathered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimlnk.report.blocks import Figure, Page, Section, Site, prose
from cimlnk.report.figures.change import effect_map, effect_reach
from cimlnk.report.figures.effects import forest
from cimlnk.report.figures.quality import nk_share
from cimlnk.report.pages.dynamics import compared
from cimlnk.report.pages.identity import _ancestry
from cimlnk.report.pages.quality import gate_remarks, gathered, of_several
from cimlnk.report.reading import nk_share_words, without_told
from cimlnk.report.site import AS_ABOVE, say_once
from cimlnk.report.style import pyplot, told


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path, "t")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("rna: CD56dim_KIR >= 5/uL", "single-cell RNA: CD56dim KIR+ ≥ 5/µL"),
        ("P1_D7_cytof and cytof/gates/x.xml, memory_like_2", "P1_D7_cytof and cytof/gates/x.xml, memory_like_2"),
        ("memory_like. rna.", "memory-like. single-cell RNA."),
        ("blood flow; flow: 3", "blood flow; flow cytometry: 3"),
        ("gate not_t; no channel of role event_length", "gate not a T cell; no channel of role event_length"),
        ("activated cells of CD56dim", "activated cells of CD56dim"),
    ],
)
def test_the_words_of_the_program_are_spoken_and_names_of_files_are_left(said, read):
    assert prose(said) == read


def test_a_column_of_one_value_is_told_once_and_a_verdict_in_every_row(site):
    table = pd.DataFrame(
        {
            "a": ["x"] * 4, "unit": ["log2 <fold>"] * 4, "n": [6] * 4, "verdict": ["supported"] * 4,
            "effect": [1.0, 2.0, 3.0, None], "gate": ["nk", "not_b (CD19)", "live", "nk"],
        }
    )  # fmt: skip
    block = site.table("t", table, "Caption.")
    assert block.head == ["a", "verdict", "effect", "gate"], "the first column names the rows and stays"
    assert block.caption == "Caption. In every row: unit log2 &lt;fold&gt;; n 6."
    assert [r[3] for r in block.rows] == ["NK", "not a B cell (CD19)", "live", "NK"]
    assert block.right == {2}, "numbers are read from the right"
    assert site.table("s", table.head(2), "Caption.").caption == "Caption.", "a short table stays as it is"


def test_ranges_are_numbers_and_sentences_are_not(site):
    table = pd.DataFrame(
        {"a": ["21.9–60.7", "≥ 3"], "b": ["5.73 (5.59 to 5.84)", ""], "c": ["89.0 %", "<0.0001"], "d": ["3 of 4", "1"]}
    )
    assert site.table("t", table, "").right == {0, 1, 2}


def test_like_warnings_stand_in_one_row_and_no_sample_is_lost():
    rows = pd.DataFrame(
        {
            "kind": ["few"] * 6 + ["other"], "subject": [None] * 7, "sample": [*"abcdef", None],
            "text": [f"{k} cells" for k in range(6)] + ["words"],
        }
    )  # fmt: skip
    found = gathered(rows, ["kind", "subject"], "text")
    assert found["samples"].iloc[0] == 6 and found["sample"].tolist() == ["a, b, c, d and 2 more", ""]
    assert found["text"].tolist() == ["0 cells; 1 cells; and 4 alike", "words"]
    same = pd.DataFrame(
        {
            "subject": ["CD38", "B", "CD62L"], "sample": [None, "a", None],
            "text": ["CD38: not told", "B: not told", "CD62L: not told"], "kind": "k",
        }
    )  # fmt: skip
    assert of_several(same)[["subject", "text"]].to_numpy().tolist() == [
        ["CD38, CD62L", "not told"], ["B", "B: not told"],
    ]  # fmt: skip
    gates = pd.DataFrame(
        {
            "sample": ["a", "b", "c"], "gate": "nk", "channel": "x", "method": ["m", "m", "n"],
            "reason": ["accuracy 0.93", "accuracy 0.94", None], "threshold": [1.0, 2.0, 3.0],
        }
    )  # fmt: skip
    remarks = gate_remarks(gates)
    assert remarks[["samples", "threshold"]].to_numpy().tolist() == [[2, "1 to 2"]]


def test_a_share_of_files_that_hold_nk_cells_alone_is_said_to_tell_nothing():
    class Files:
        samples = pd.DataFrame({"sample": ["a", "b", "p"], "tissue_or_product": ["blood", "blood", "product"]})

        def __init__(self, *nk):
            self.nk = nk

        def table(self, name):
            rows = list(zip("abp", self.nk, strict=False))
            return pd.DataFrame(rows, columns=["sample", "n_nk"]).assign(n_lymphocytes=100.0)

    assert "100% of the lymphocytes of 2 files" in nk_share_words(Files(100.0, 100.0, 20.0), "cytof")
    assert nk_share_words(Files(8.0, 20.0, 100.0), "cytof") == "" == nk_share_words(Files(), "cytof")
    assert nk_share_words(Files(95.0, 80.0), "cytof") == "", "after an infusion blood may have so many"
    assert "80% to 95%" in nk_share_words(Files(95.0, 80.0), "rna")


def test_how_a_figure_is_read_is_said_once_a_page():
    words = "Dots are patients and lines are medians of them. The scale is the same in all panels."
    figures = [
        Figure(str(k), "f", c, "t", "a") for k, c in enumerate([f"<b>A.</b> {words}", f"<b>B.</b> {words}", words])
    ]
    page = Page("p.html", "p", "", [Section("s", "s", [*figures, Figure("x", "f", "Short.", "t", "a")] * 1)])
    say_once(page)
    assert [b.caption for b in page.sections[0].blocks] == [
        f"<b>A.</b> {words}", f"<b>B.</b> {AS_ABOVE}", f"Dots are patients and lines are medians of them. {AS_ABOVE}",
        "Short.",
    ]  # fmt: skip


def test_the_blood_count_is_told_by_one_kind_of_data_and_differing_counts_by_both():
    table = pd.DataFrame(
        {
            "modality": ["rna", "cytof", "rna", "cytof", "rna"], "population": ["NK", "NK", "adaptive", "NK", "NK"],
            "patient": ["P1", "P1", "P1", "P2", "P2"], "fold": [2.0, 2.0, 2.0, 3.0, 4.0],
        }
    )  # fmt: skip
    left = without_told(table, ["patient"], ["fold"])
    assert left.index.tolist() == [1, 2, 3, 4]


def test_forest_names_a_population_once_and_leaves_the_arm_to_the_caption():
    rows = pd.DataFrame(
        {
            "population": ["NK", "NK", "adaptive"], "contrast": [f"CIML: {d} vs pre" for d in ("D7", "D28", "D7")],
            "effect": [1.0, 2.0, 3.0], "effect_low": [0.5, -1.0, 2.0], "effect_high": [1.5, 4.0, 4.0],
        }
    )  # fmt: skip
    figure = forest(rows, "log2")
    words = [t.get_text() for t in figure.axes[0].get_yticklabels()][::-1]
    assert [w.split() for w in words] == [
        ["all", "NK", "D7", "vs", "pre"], ["D28", "vs", "pre"], ["adaptive", "D7", "vs", "pre"],
    ]  # fmt: skip
    pyplot().close(figure)


def test_founders_are_listed_and_of_the_others_it_is_said_why_not(site):
    rows = [
        {
            "modality": "cytof", "arm": "CIML", "founder_timepoint": "product", "founder": "memory_like",
            "timepoint": "D7", "day": 7.0, "population": "memory_like", "share": share, "share_low": 0.5,
            "share_high": 1.0, "share_shuffled": 0.1, "growth": None, "verdict": verdict, "reason": reason,
        }
        for share, verdict, reason in ((0.9, "founder", None), (0.1, "not shown", None), (0.2, "not shown", "alone"))
    ]  # fmt: skip

    class OneTable:
        def table(self, name):
            return pd.DataFrame(rows)

    (section,) = _ancestry(OneTable(), site)
    table, text = section.blocks
    assert [r[table.head.index("founder")] for r in table.rows] == ["memory-like"]
    assert "1 (no more than exchanged time points give)" in text.body and "1 (alone)" in text.body


def test_noise_is_pale_and_maps_of_one_kind_of_data_share_a_scale():
    rows = pd.DataFrame(
        {"population": "NK", "feature": ["a", "b"], "effect": [1.0, -0.2], "fdr": [0.01, 0.9], "contrast": "c"}
    )
    figure = effect_map(rows, "arcsinh", reach=4.0)
    shown = figure.axes[0].images[0]
    assert shown.get_clim() == (-4.0, 4.0) and shown.get_alpha().tolist() == [[1.0, 0.3]]
    assert effect_reach(rows) == pytest.approx(1.0, rel=0.01)
    pyplot().close(figure)


def test_what_was_compared_stands_in_one_column():
    table = pd.DataFrame(
        {
            "population": ["adaptive", "NK", "adaptive"], "feature_one": [None, "CD56", "CD16"],
            "feature_other": [None, "NCAM1", "FCGR3A"],
        }
    )  # fmt: skip
    assert compared(table)["what"].tolist() == ["adaptive", "CD56 and NCAM1", "CD16 and FCGR3A in adaptive"]


def test_long_names_of_samples_leave_room_for_the_figure_and_the_share_is_of_what_is_known():
    name = "export_20240117_P1_D28_CIML_trial_tube1_live_singlets"
    samples = pd.DataFrame({"sample": [name], "patient": "P1", "day": 28, "arm": "CIML", "timepoint": "D28"})
    summary = pd.DataFrame({"sample": [name], "left_out": False, "n_nk": 120.0, "n_nk_low": 110.0, "n_nk_high": 130.0,
                            "n_live_singlets": 1200.0, "n_lymphocytes": np.nan})  # fmt: skip
    figure = nk_share(summary, samples, of="n_live_singlets")
    axis = figure.axes[0]
    assert axis.get_ylabel() == "NK / live single events"
    assert [t.get_text() for t in axis.get_xticklabels()] == ["export_2024…tube1_live_singlets"]
    assert [text for _, _, text in told(figure)] == [f"{name}: 10.0 % of live single events"]
    assert axis.lines[0].get_ydata().tolist() == [0.1]
