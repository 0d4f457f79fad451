"""Pages as readers meet them: absolute scales, names apart, cohorts without treatment."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cimlnk.cohort.design import ONE_BATCH
from cimlnk.common.palette import colours, distinct
from cimlnk.report.arms import compare_arms
from cimlnk.report.blocks import Site
from cimlnk.report.figures.change import volcano
from cimlnk.report.figures.maps import heat_map, overview
from cimlnk.report.pages import claims
from cimlnk.report.pages.cohort import arms_words, asked_words, cannot_tell, warning_box
from cimlnk.report.pages.identity import no_identity
from cimlnk.report.pages.patients import place_words
from cimlnk.report.pages.quality import correction
from cimlnk.report.reading import rank_sum
from cimlnk.report.style import pyplot


def test_no_two_patients_have_one_colour():
    names = [f"P{i}" for i in range(40)]
    shades = colours(names, {})
    assert len(set(shades.values())) == 40 and len(set(distinct(80))) == 80
    mixed = colours(["CIML", *names])
    assert len(set(mixed.values())) == 41, "nor that of an arm"
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in distinct(24)])
    assert min(np.abs(a - b).sum() for a, b in combinations(rgb, 2)) > 12


def test_heat_maps_show_values_and_not_ranks():
    table = pd.DataFrame(
        {"group": ["a", "a", "b", "b"], "feature": ["x", "y"] * 2, "median": [3.0, 0.1, 3.1, 0.0], "n_cells": 5}
    )
    figure = heat_map(table, "median", "arcsinh")
    shown = figure.axes[0].images[0]
    assert np.ptp(shown.get_array(), axis=0).max() == pytest.approx(0.1), "two like rows stay alike"
    assert shown.norm.vmin == 0 and shown.norm.vmax > 3
    pyplot().close(figure)


def test_names_on_the_map_do_not_touch_and_arms_and_batches_have_a_panel():
    rng = np.random.default_rng(0)
    names = ["CD56bright", "CD56dim_NKG2A", "CD56dim_KIR", "CD56dim_CD57", "adaptive"]
    cells = pd.DataFrame(
        {
            "umap1": rng.normal(size=500), "umap2": rng.normal(size=500), "population": names * 100, "confidence": 0.9,
            "day": [0, 7] * 250, "patient": ["P1", "P2"] * 250, "arm": ["a", "b"] * 250, "batch": "one",
        }
    )  # fmt: skip
    figure = overview(cells)
    figure.canvas.draw()
    boxes = [t.get_window_extent() for t in figure.axes[0].texts]
    assert len(boxes) == 5 and not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    titles = [a.get_title(loc="left") or a.get_title() for a in figure.axes]
    assert "arm" in titles and "patient" in titles and "batch" not in titles, "one batch needs no panel"
    pyplot().close(figure)


def test_volcano_names_only_what_is_shown():
    rows = pd.DataFrame(
        {
            "population": ["NK", "adaptive", "NK"], "feature": ["A", "B", "C"], "effect": [2.0, -2.0, 0.1],
            "p": [0.0, 0.001, 0.9], "fdr": [0.0, 0.01, 0.9], "contrast": "pre→D7",
        }
    )  # fmt: skip
    figure = volcano(rows, "log2")
    assert {t.get_text() for t in figure.axes[0].texts} == {"A", "B"}
    pyplot().close(figure)


def test_empty_columns_stay_in_the_file_and_populations_have_one_name(tmp_path):
    site = Site(tmp_path, "t")
    table = pd.DataFrame({"population": ["CD56dim_KIR", None], "a": [1.0, 2.0], "none": [np.nan, np.nan]})
    block = site.table("t", table, "Caption.")
    assert block.head == ["population", "a"] and block.rows[0][0] == "CD56dim KIR+"
    assert list(pd.read_csv(tmp_path / block.file)) == ["population", "a", "none"]


def test_arms_are_compared_by_patients_and_exactly():
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(1)
    a, b = rng.random(5), rng.random(4)
    p, floor, reason = rank_sum(a, b)
    assert p == pytest.approx(mannwhitneyu(a, b, method="exact").pvalue) and floor == pytest.approx(2 / 126)
    assert reason is None and np.isnan(rank_sum(a, b[:1])[0])
    rows = [
        {
            "modality": "cytof", "arm": arm, "patient": p, "population": q, "day": d, "tissue_or_product": "blood",
            "fraction": f,
        }
        for arm, people, f in (("healthy", "ABC", 0.1), ("severe", "DEF", 0.4))
        for p in people
        for d in (0, 7)
        for q in ("adaptive", "NK")
    ]  # fmt: skip
    found = compare_arms(pd.DataFrame(rows))
    assert len(found) == 1 and found.loc[0, ["n", "n_other"]].tolist() == [3, 3], "a patient with two days counts once"
    assert found.loc[0, "p"] == pytest.approx(0.1) == found.loc[0, "p_floor"]


def test_null_arms_rarely_differ():
    rng = np.random.default_rng(2)
    p = np.array([rank_sum(rng.random(4), rng.random(5))[0] for _ in range(400)])
    assert (p <= 0.05).mean() <= 0.083  # attainable level below .05; three standard errors above it


def test_self_checks_are_not_counted_as_findings():
    checks = pd.DataFrame({"kind": ["self-check"] * 3, "verdict": ["not evaluable", "supported", "not evaluable"]})
    assert asked_words(checks) == "No finding was asked; 3 self-checks of the analysis"
    found = pd.concat([checks, pd.DataFrame({"kind": ["finding"], "verdict": ["supported"]})])
    assert asked_words(found).startswith("Findings supported: 1 of 1 (0 not supported, 0 not evaluable); 3")


def test_words_of_a_cohort_with_one_arm_one_batch_and_one_time_point():
    four = pd.DataFrame({"patient": list("abcd"), "arm": "all"})
    assert arms_words(four) == "4 patients."
    assert arms_words(four.assign(arm="CIML")) == "4 patients, all of arm CIML."
    assert arms_words(four.assign(arm=list("xxxy"))) == "Arms and patients: x (3), y (1)."
    one, two = (SimpleNamespace(samples=four.assign(arm=arms)) for arms in ("all", list("xxxy")))
    assert place_words("all", ["sampled"], one) == "One time point."
    assert place_words("x", ["pre", "D7"], two) == "Arm x; time points: pre, D7."
    assert correction({"verdict": "refused", "why": ONE_BATCH}) == ONE_BATCH
    assert correction({"verdict": "refused", "why": "b"}) == "Correction of batches: refused. b"


def test_a_sample_left_out_is_told_once_on_the_first_page(tmp_path):
    row = {"modality": "cytof", "sample": "s1", "subject": None, "severity": "serious", "remedy": "r"}
    table = pd.DataFrame([row | {"kind": "sample left out", "text": "no NK cells"}, row | {"kind": "few", "text": "7"}])
    site = Site(tmp_path, "t")
    (both,) = warning_box(SimpleNamespace(table=lambda _: table), site)
    assert "no NK cells" not in both.body and "<b>few</b>" in both.body and "2 warnings as a table" in both.body.lower()
    (alone,) = warning_box(SimpleNamespace(table=lambda _: table.head(1)), site)
    assert alone.body.startswith("Nothing more to warn of") and "1 warning as a table" in alone.body


def test_what_a_small_cohort_cannot_say_stands_on_its_first_page():
    samples = pd.DataFrame(
        {"patient": ["a", "a", "b"], "timepoint": ["pre", "D7", "pre"], "tissue_or_product": "blood"}
    )
    assert cannot_tell(samples) == []
    assert "nothing can be tested" in cannot_tell(samples[samples["patient"] == "a"])[0]
    assert "one time point (pre)" in cannot_tell(samples[samples["timepoint"] == "pre"])[0]
    assert "no change over time can be told, and nothing" in cannot_tell(samples.tail(1))[0]
    counted = cannot_tell(samples[samples["timepoint"] == "pre"], 9)[0]
    assert "no change over time" not in counted and "NK cells were counted on 9 days" in counted
    assert "nothing can be tested" in cannot_tell(samples.tail(1), 9)[0]
    assert cannot_tell(samples.assign(tissue_or_product="product")) == []
    assert cannot_tell(samples.tail(1).assign(tissue_or_product="product")) == []


def test_an_empty_page_of_identity_says_the_reason_that_holds():
    two_days = pd.DataFrame({"patient": ["a", "a"], "timepoint": ["pre", "D7"]})
    assert "too few cells or clusters" in no_identity(two_days)
    assert no_identity(two_days.assign(timepoint="pre")) == "The cohort has one time point only."
    assert "No patient was sampled" in no_identity(two_days.assign(patient=["a", "b"]))


def test_a_claim_keeps_all_that_is_known_of_it_in_columns_that_fit_a_page():
    known = {"claim": "C07", "title": "More than by IL-2", "verdict": "supported", "bound": "ratio >= 2", "n": 12,
             "chance": 0.005, "why": "median 11.1", "value": 11.1, "low": 4.0, "high": 20.5, "p": 0.00216,
             "p_attainable": 0.0011, "arm": "CIML", "modality": "cytof", "source": "a paper", "tier": "B"}  # fmt: skip
    bare = dict.fromkeys(known) | {"claim": "C08", "title": "Another", "verdict": "not evaluable", "tier": "C",
                                   "value": float("nan"), "n": 0}  # fmt: skip
    table = claims.readable(pd.DataFrame([known, bare]))
    assert set(table.columns) == set(claims.COLUMNS) and len(claims.COLUMNS) == 5
    told = " ".join(table.iloc[0]).replace(claims.CLOSE, " ")
    for words in ("C07", "11.1 (4 to 20.5)", "n 12", "p 0.00216 (least p 0.0011)", "chance 0.005", "ratio >= 2",
                  "CIML, mass cytometry", "a paper (B)", "median 11.1"):  # fmt: skip
        assert words in told
    assert table.loc[1, "title"] == "Another\nSource: (C)"
    assert table.loc[1, "result"].replace(claims.CLOSE, " ") == "n 0"
