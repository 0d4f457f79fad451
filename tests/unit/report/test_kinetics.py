"""Fitted curves on the site: what is drawn is what was measured and fitted, and nothing where nothing was fitted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.tables import Schema, write_table
from cimlnk.dynamics.abundance.tables import ABUNDANCE
from cimlnk.dynamics.kinetics.tables import CURVES, KINETICS
from cimlnk.report import again
from cimlnk.report.blocks import Figure, Site, Table, Text
from cimlnk.report.figures.kinetics import fitted_courses
from cimlnk.report.pages.kinetics import fitted_figure, section, tables
from cimlnk.report.run import Run
from cimlnk.report.style import pyplot, save

KEY = {"modality": "cytof", "arm": "CIML", "population": "NK"}


@pytest.fixture
def measured():
    days, values = [-7, 7, 28, 60], [100.0, 900.0, 300.0, 0.0]
    rows = pd.DataFrame({"day": days, "cells_per_ul": values, **KEY})
    rows = rows.assign(cells_per_ul_low=rows["cells_per_ul"] * 0.8, cells_per_ul_high=rows["cells_per_ul"] * 1.2 + 5)
    return pd.concat([rows.assign(patient=p) for p in ("P1", "P2")], ignore_index=True)


@pytest.fixture
def fits():
    table = pd.DataFrame([{**KEY, "patient": p, "model_reason": why} for p, why in (("P1", None), ("P2", "3 days"))])
    return table.assign(censored_day=[20.0, np.nan])


@pytest.fixture
def curves():
    days = [-7.0, -0.001, 0.0, 7.0, 20.0]
    line = pd.DataFrame({"day": days, "fitted": [100.0, 100, 50, 900, 400], **KEY, "patient": "P1"})
    return line.assign(low=line["fitted"] / 2, high=line["fitted"] * 2)


def test_each_panel_has_its_points_curve_band_and_the_reason_of_a_missing_fit(measured, curves, fits):
    figure = fitted_courses(measured, curves, fits, panel="patient", colour_by="arm", colour={"CIML": "#8B2FC9"})
    one, two = figure.axes[:2]
    lines = {(line.get_marker(), line.get_markerfacecolor()): line for line in one.lines if line.get_marker() != "None"}
    assert list(lines[("o", "#8B2FC9")].get_xdata()) == [-7, 7], "used in the fit"
    assert list(lines[("o", "white")].get_xdata()) == [28], "after the event"
    zero = lines[("v", "white")]
    assert list(zero.get_xdata()) == [60] and list(zero.get_ydata()) == [5.0], "no cell: at the upper limit"
    drawn = next(line for line in one.lines if line.get_marker() == "None" and len(line.get_xdata()) == len(curves))
    np.testing.assert_allclose(drawn.get_ydata(), curves["fitted"])
    band = one.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == curves["low"].min() and band[:, 1].max() == curves["high"].max()
    assert one.get_yscale() == "log" and not [t for t in one.texts if "no fit" in t.get_text()]
    assert [t.get_text() for t in two.texts] == ["no fit: 3 days"]
    assert not [c for c in two.collections if len(c.get_paths()) and len(c.get_paths()[0].vertices) > 4], "no band"
    figure.canvas.draw()
    pyplot().close(figure)


def test_a_grid_filled_anew_is_the_same_to_the_byte_as_a_new_one(measured, curves, fits, tmp_path):
    """Panels, days, values, limits, words and legends of the figure before leave nothing behind."""
    again._free.clear()
    few = measured[measured["patient"] == "P1"].assign(day=[0, 2, 5, 9], cells_per_ul=[1e5, 2e5, 3e5, 4e5])
    five = pd.concat([few.assign(population=q) for q in ("NK", "CD56bright", "memory_like", "adaptive", "CD56dim")])
    six = pd.concat([measured[measured["patient"] == "P1"].assign(population=q) for q in "abcdef"], ignore_index=True)
    lines = pd.concat([curves.assign(population=q) for q in "abcd"], ignore_index=True)
    why = pd.concat([fits[:1].assign(population=q, model_reason="few days") for q in "abcdef"], ignore_index=True)

    def second(first):
        hue = {"panel": "population", "colour_by": "arm", "colour": {"CIML": "#123456"}}  # so that there is a legend
        if first:
            save(fitted_courses(five, curves[:0], fits[:0], **hue), tmp_path / "first.svg")
            assert len(again._free) == 1
        figure = fitted_courses(six, lines, why, **hue)
        assert not again._free, "the kept one is drawn in"
        spots = save(figure, tmp_path / "second.svg")
        again._free.clear()
        return spots, (tmp_path / "second.svg").read_bytes()

    assert second(first=True) == second(first=False)


@pytest.fixture
def run(tmp_path, measured, curves, fits):
    """A results folder with NK cells and one subset of two patients, by mass cytometry."""
    both = [t.assign(population=q) for t in (measured, curves, fits) for q in ("NK", "memory_like")]
    points, lines, table = (pd.concat(both[i : i + 2], ignore_index=True) for i in (0, 2, 4))
    points = points.assign(
        sample=points["patient"] + points["day"].astype(str), timepoint="t", tissue_or_product="blood", n_cells=9.0,
        nk_per_ul_source=None, reason=None,
    )  # fmt: skip
    table = table.assign(reason=None, n_days=3, model_peak_fold=[9.0, np.nan] * 2, half_life_low=[4.0, np.nan] * 2)
    for name, rows, schema in (
        ("abundance", points, ABUNDANCE),
        ("curves", lines, CURVES),
        ("kinetics", table, KINETICS),
    ):
        write_table(rows.reindex(columns=list(schema.columns)), tmp_path / f"r/dynamics/{name}.parquet", schema)
    names = Schema("names", {"cell": ("str", "id")})
    write_table(names.empty(), tmp_path / "r/cytof/populations.parquet", names)
    config = {"claims": {"arms": {"treated": "CIML"}}}
    return Run(tmp_path / "r", list((tmp_path / "r").rglob("*.parquet")), config)


def test_section_shows_nk_and_subsets_with_model_band_and_where_the_numbers_are(run, tmp_path):
    site = Site(tmp_path / "site", "t")
    blocks = section(run, site).blocks
    figures = [b for b in blocks if isinstance(b, Figure)]
    assert [f.id for f in figures] == ["fitted_nk", "fitted_subsets_cytof"]
    for figure in figures:
        assert (tmp_path / "site" / figure.file).stat().st_size > 1000
        for word in (
            "lymphodepletion",
            "95 % credible interval",
            "dynamics/kinetics.parquet",
            "dynamics/curves.parquet",
        ):
            assert (word in figure.caption) == (figure is figures[0]), "said once a page"
    behind = pd.read_csv(tmp_path / "site" / figures[0].table)
    assert set(behind["population"]) == {"NK"} and dict(behind["what"].value_counts()) == {"measured": 8, "fitted": 5}
    measured, fitted = (b for b in blocks if isinstance(b, Table))
    assert len(measured.rows) == 4 and {row[fitted.head.index("patient")] for row in fitted.rows} == {"P1"}
    half_life = fitted.head.index("half-life (d)")
    assert fitted.rows[0][half_life : half_life + 2] == ["", "≥ 4"] and "2 × 3 days" in fitted.caption
    assert "half_life_low" in pd.read_csv(tmp_path / "site" / fitted.file), "the file has the limits as numbers"


def test_numbers_that_hold_counts_after_an_event_are_remarked_on(run, tmp_path):
    table = run.table("dynamics/kinetics.parquet").assign(
        baseline_per_ul=5.0, peak_fold=4.0, peak_day=7.0, last_fold=4.0, last_day=60.0, censored_day=[14.0, np.nan] * 2
    )
    shown = tables(Site(tmp_path / "site", "t"), "kinetics", table, who={"patient": "patient"})[0]
    remark = shown.head.index("remark")
    told = {row[shown.head.index("patient")]: row[remark] for row in shown.rows}
    assert told["P2"] == "" and told["P1"] == (
        "event on day 14: days above 2× and last fold hold later counts, which are not the infusion's alone"
    )


def test_without_a_curve_the_reason_stands_in_place_of_the_figures(run, tmp_path):
    write_table(CURVES.empty(), run.files["dynamics/curves.parquet"], CURVES)
    site = Site(tmp_path / "site", "t")
    blocks = section(run, site).blocks
    assert not [b for b in blocks if isinstance(b, Figure)]
    assert [b.body for b in blocks if isinstance(b, Text)] == ["No curve could be fitted: 3 days."]
    assert fitted_figure(run, site, "x", rows={"modality": "cytof"}, panel="patient", colour_by="arm", lead="") is None


def test_a_cohort_without_counts_says_so(run, tmp_path):
    write_table(KINETICS.empty(), run.files["dynamics/kinetics.parquet"], KINETICS)
    blocks = section(run, Site(tmp_path / "site", "t")).blocks
    assert len(blocks) == 1 and "no absolute counts" in blocks[0].body
