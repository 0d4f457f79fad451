"""The report's parts on small tables: text of cells, cut tables, figures of odd data, a site of almost nothing."""

from __future__ import annotations

import io
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.tables import Schema, write_table
from cimlnk.dynamics.abundance.tables import ABUNDANCE
from cimlnk.report.blocks import MAX_CSV_ROWS, MAX_ROWS, Site, esc, slug
from cimlnk.report.figures.change import alluvial, distance_map, effect_map
from cimlnk.report.figures.course import composition, folds_by_arm, nk_by_patient, subsets_absolute
from cimlnk.report.figures.effects import diversity, forest, planted_and_found
from cimlnk.report.figures.maps import heat_map, overview, thin
from cimlnk.report.site import write_site
from cimlnk.report.style import by_number, colours, order, plain, pyplot, save, symlog_days, tell, told

DAYS = [-7, 7, 28]


@pytest.fixture
def abundance():
    rows = [
        {
            "modality": "cytof", "sample": f"{p}{d}", "patient": p, "day": d, "timepoint": f"D{d}", "arm": arm,
            "tissue_or_product": "blood", "population": q, "fraction": f, "cells_per_ul": 100.0 * f,
            "cells_per_ul_low": 80.0 * f, "cells_per_ul_high": 120.0 * f, "reason": None, "n_cells": 5.0, "n_nk": 10.0,
        }
        for p, arm in (("P1", "CIML"), ("C1", "IL2_only"))
        for d in DAYS
        for q, f in (("CD56bright", 0.3), ("memory_like", 0.7), ("NK", 1.0))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def draws(figure):
    """The figure renders without an error; closes it."""
    figure.canvas.draw()
    pyplot().close(figure)


def test_patients_sampled_once_stand_side_by_side_in_their_arm(abundance):
    once = abundance[(abundance["day"] == -7) & (abundance["population"] != "NK")]
    figure = composition(pd.concat([once, once.assign(patient=once["patient"] + "0")]))
    titles = [a.get_title(loc="left") for a in figure.axes if a.get_visible()]
    assert titles == ["CIML", "IL2_only"]
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["P1", "P10"]
    draws(figure)


def test_cells_of_a_table_read_like_a_person_would_write_them():
    cells = (1.0, 0.12345, float("nan"), None, True, 3, 2.5e7, "x", np.int64(12_345), np.bool_(False), 1234.5)
    assert [plain(v) for v in cells] == [
        "1", "0.123", "", "", "yes", "3", "25,000,000", "x", "12,345", "no", "1,234",
    ]  # fmt: skip


def test_names_are_safe_in_files_and_in_html():
    assert slug("P1/../x <b>") == "P1-..-x-b" and "<" not in esc("<script>")


def test_long_tables_are_cut_with_a_word(tmp_path):
    site = Site(tmp_path, "t")
    table = pd.DataFrame({"a": np.arange(MAX_CSV_ROWS + 5)})
    block = site.table("long", table, "Caption.")
    assert len(block.rows) == MAX_ROWS and block.cut == len(table) - MAX_ROWS
    assert f"holds {MAX_ROWS:,} of {len(table):,} rows, the file the first {MAX_CSV_ROWS:,}" in block.caption
    site.table("short", table.head(MAX_ROWS + 1), "Caption.").caption.endswith("rows, the file all.")
    assert len(pd.read_csv(tmp_path / block.file)) == MAX_CSV_ROWS


def test_colours_are_fixed_for_known_names_and_given_to_new_ones():
    assert colours(["NK", "new"])["NK"] == "#222222" and colours(["new"])["new"].startswith("#")
    assert order({"unassigned", "NK", "memory_like", "zeta", "CD56bright"}) == [
        "CD56bright", "memory_like", "zeta", "unassigned",
    ]  # fmt: skip


def test_same_data_give_the_same_bytes(abundance, tmp_path):
    nk = abundance[abundance["population"] == "NK"]
    for name in ("one.svg", "two.svg"):
        save(nk_by_patient(nk, pd.DataFrame(columns=["patient", "day", "event"]), (10, 50)), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_courses_draw_with_events_gaps_and_a_single_patient(abundance):
    nk = abundance[abundance["population"] == "NK"].copy()
    nk.loc[nk.index[1], ["cells_per_ul", "cells_per_ul_low"]] = np.nan
    events = pd.DataFrame({"patient": ["P1", "P1"], "day": [35, 42], "event": ["boost_one", "boost_two"]})
    draws(nk_by_patient(nk, events, (10, 50)))
    draws(nk_by_patient(nk[nk["patient"] == "P1"], events, (10, 50)))
    folds = nk.assign(fold_change=nk["cells_per_ul"] / 50, fold_high=3.0).dropna(subset=["fold_change"])
    draws(folds_by_arm(folds, (10, 50)))
    named = abundance[abundance["population"] != "NK"]
    draws(subsets_absolute(named))
    draws(composition(named))


def test_a_day_without_a_cell_is_drawn_on_its_day_at_the_upper_limit(abundance):
    """At none itself a logarithmic axis drew a line straight down from the day before."""
    own = ["cells_per_ul", "cells_per_ul_low", "cells_per_ul_high"]
    nk = abundance[(abundance["population"] == "NK") & (abundance["patient"] == "P1")].sort_values("day").copy()
    nk.loc[nk.index[-1], own] = [0.0, 0.0, 4.0]
    axis = nk_by_patient(nk, pd.DataFrame(columns=["patient", "day", "event"]), (10, 50)).axes[0]
    course, none = (line for line in axis.lines if line.get_marker() in ("o", "v"))
    assert course.get_ydata()[-1] == 4 and none.get_xydata().tolist() == [[nk["day"].iloc[-1], 4]]
    folds = nk.assign(fold_change=nk["cells_per_ul"] / 50, fold_high=nk["cells_per_ul_high"] / 50)
    drawn = [line for line in folds_by_arm(folds, (10, 50)).axes[0].lines if len(line.get_xdata()) == len(nk)]
    assert len(drawn) == 2 and all(line.get_ydata()[-1] == 4 / 50 for line in drawn)


def test_maps_thin_evenly_and_draw_few_cells():
    random = np.random.default_rng(0)
    cells = pd.DataFrame(
        {
            "umap1": random.normal(size=50), "umap2": random.normal(size=50), "population": ["unassigned"] * 50,
            "day": [0] * 25 + [7] * 25, "patient": "P1", "confidence": 0.5,
        }
    )  # fmt: skip
    assert len(thin(cells, 10)) == 10 and thin(cells, 10)["day"].nunique() == 2
    draws(overview(cells))
    profiles = pd.DataFrame(
        {"group": ["a", "a", "b", "b"], "feature": ["x", "y"] * 2, "median": [0, 1, 0, 2.0], "n_cells": [3, 3, 4, 4]}
    )
    draws(heat_map(profiles, "median", "median"))  # feature x is constant: grey, not an error


def test_effects_draw_with_missing_intervals_and_all_nk():
    tests = pd.DataFrame(
        {
            "population": ["NK", "CD56bright", "memory_like"], "contrast": "D7 vs pre", "effect": [1.0, -1.0, np.nan],
            "effect_low": [0.5, np.nan, np.nan], "effect_high": [1.5, np.nan, np.nan], "fdr": [0.01, 0.5, np.nan],
            "feature": ["m1", "m1", "m2"],
        }
    )  # fmt: skip
    draws(forest(tests, "log2"))
    draws(effect_map(tests, "log2"))


def test_alluvial_distances_diversity_and_recovery_draw():
    tracks = pd.DataFrame(
        {
            "timepoint": ["pre", "pre", "D7"], "day": [-7.0, -7.0, 7.0], "cluster": ["0", "1", "0"],
            "population": ["CD56bright", "adaptive", "memory_like"], "fraction": [0.4, 0.6, 1.0],
        }
    )  # fmt: skip
    links = pd.DataFrame(
        {
            "from_timepoint": "pre", "to_timepoint": "D7", "from_cluster": ["0", "1"], "to_cluster": "0",
            "from_population": ["CD56bright", "adaptive"], "descendant_share": 1.0, "ancestor_share": [0.4, 0.6],
            "support": [0.9, 0.2], "linked": [True, False],
        }
    )  # fmt: skip
    draws(alluvial(tracks, links))
    samples = pd.DataFrame({"sample": ["a", "b"], "patient": ["P1", "P2"], "arm": "x", "day": 0})
    draws(distance_map(pd.DataFrame({"sample": ["a"], "other": ["b"], "distance": [0.3]}), samples))
    table = pd.DataFrame(
        {
            "arm": "x",
            "patient": "P1",
            "day": [0, 7],
            "tissue_or_product": ["product", "blood"],
            "inverse_simpson": [1, 3],
        }
    )
    draws(diversity(table))
    cases = pd.DataFrame(
        {"measure": ["NK fold", "share"], "modality": "cytof", "truth": [10.0, 0.1], "found": [9.0, 0.2]}
    )
    draws(planted_and_found(cases))


def test_site_of_a_cohort_without_counts_or_claims_still_stands(tmp_path):
    """Every page is written, says what is missing, and escapes the sheet's words."""
    root, name = tmp_path / "results", "export_P1_D28_live_singlets"
    samples = pd.DataFrame(
        {
            "sample": [name], "patient": ["P1"], "day": [0], "timepoint": ["pre"], "arm": ["a<b"],
            "tissue_or_product": ["blood"], "modality": ["cytof"], "batch": ["1"],
        }
    )  # fmt: skip
    loose = Schema("loose", {"sample": ("str", "id")}, extra=True)
    write_table(samples, root / "cohort/samples.parquet", loose)
    summary = pd.DataFrame({"sample": [name], "left_out": [True], "reason": ["empty <file>"]})
    for column in ("n_events", "n_live_singlets", "n_lymphocytes", "n_nk", "n_nk_low", "n_nk_high", "qc_score"):
        summary[column] = 0.0
    write_table(summary, root / "cytof/summary.parquet", loose)
    write_table(ABUNDANCE.empty(), root / "dynamics/abundance.parquet", ABUNDANCE)
    config = {"cohort": {"id": "x"}, "claims": {"arms": {"treated": "CIML"}, "bounds": {}}, "simulate": None}
    write_site(root=root, files=sorted(root.rglob("*.parquet")), config=config, output=tmp_path / "site")
    index = (tmp_path / "site/index.html").read_text()
    assert "empty &lt;file&gt;" in index and "a&lt;b" in index and "a<b" not in index
    assert "no absolute counts" in index
    quality = (tmp_path / "site/quality.html").read_text()
    assert "export_<wbr>P1_<wbr>D28_<wbr>live_<wbr>singlets" in quality and "&lt;wbr" not in quality
    for page in (tmp_path / "site").glob("*.html"):
        assert not re.search(r"(src|href)=\"https?:", page.read_text()), page.name


def test_day_labels_do_not_touch_and_landmarks_go_first():
    plt = pyplot()
    figure, axes = plt.subplots(1, 4, figsize=(11.4, 2.3))
    days = [-7, 0, 3, 7, 10, 14, 21, 28, 35, 42, 60, 100, 180]
    for axis in axes:
        symlog_days(axis, days)
    figure.canvas.draw()
    labels = axes[0].get_xticklabels()
    assert {"-7", "0", "7", "28", "100", "180"} <= {t.get_text() for t in labels}
    boxes = [t.get_window_extent() for t in labels]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
    plt.close(figure)


def test_a_shared_day_axis_is_set_once_and_every_panel_has_its_ticks():
    plt = pyplot()
    figure, axes = plt.subplots(2, 2, figsize=(6, 4), sharex=True, sharey=True)
    for k, axis in enumerate(axes.flat):
        axis.plot([-7, 28 + k], [1, 2])
    symlog_days(axes, [-7, 0, 7, 28])
    figure.canvas.draw()
    for axis in axes.flat:
        assert axis.get_xscale() == "function" and axis.get_xticks().tolist() == [-7, 0, 7, 28]
        assert [t.label1.get_text() for t in axis.xaxis.get_major_ticks()] == ["-7", "0", "7", "28"]
        assert axis.get_xlabel() == "day after infusion" and axis.get_xlim()[1] > 31
    plt.close(figure)


def _busy():
    plt = pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(5, 2.2))
    drawn = axes[0].imshow(np.arange(12.0).reshape(3, 4), aspect="auto")
    figure.colorbar(drawn, ax=axes[0], label="colour")
    axes[1].scatter([1, 2, 3], [1, 10, 1000], s=4, rasterized=True, label="a long name")
    axes[1].set_yscale("log")
    axes[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    tell(axes[1], [1, 3], [1, 1000], texts=["low", "high"])
    return figure


@pytest.mark.parametrize("layout", ["constrained", "none"])
def test_drawing_a_picture_once_gives_what_matplotlib_writes(tmp_path, layout):
    figure = _busy()
    figure.set_layout_engine(layout)
    text = io.StringIO()
    figure.savefig(text, format="svg", dpi=110, metadata={"Date": None, "Creator": None}, facecolor="white")
    spots = told(figure)
    pyplot().close(figure)
    plain = [line if "scale(" in line else re.sub(r"(\d\.\d\d)\d+", r"\1", line) for line in
             text.getvalue().splitlines(keepends=True)]  # fmt: skip
    again = _busy()
    again.set_layout_engine(layout)
    assert save(again, tmp_path / "a.svg") == spots and len(spots) == 2
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == "".join(plain)


def test_contrasts_are_ordered_by_their_day():
    assert sorted(["x: D100 vs pre", "x: D28 vs pre", "x: D7 vs pre"], key=by_number)[0] == "x: D7 vs pre"
    assert sorted(["b", "1a", "a1"], key=by_number) == ["1a", "a1", "b"]


def test_values_of_a_figure_lie_where_they_are_drawn(tmp_path):
    plt = pyplot()
    figure, axis = plt.subplots(figsize=(4, 2), layout="none")
    axis.set_position((0.25, 0.5, 0.5, 0.25))
    axis.set_xlim(0, 10)
    axis.set_ylim(0, 1)
    tell(axis, [0, 5, 20], [0, 1, 0.5], texts=["a <b>", "b", "outside"])
    assert told(figure) == [(250, 500, "a <b>"), (500, 250, "b")]
    block = Site(tmp_path, "t").figure("f", figure, "Caption.", table=pd.DataFrame({"x": [1]}))
    assert block.values == '[[250,500,"a \\u003cb>"],[500,250,"b"]]'


def test_short_coordinates_keep_the_picture(tmp_path):
    figure, axis = pyplot().subplots()
    axis.plot([0.1234567, 1 / 3], [1, 2])
    save(figure, tmp_path / "f.svg")
    numbers = re.findall(r"\d\.(\d+)", "".join(re.findall(r' d="([^"]*)"', (tmp_path / "f.svg").read_text())))
    assert numbers and max(map(len, numbers)) <= 2


def test_only_events_with_support_are_listed_and_the_others_say_why(tmp_path):
    from cimlnk.report.pages.identity import _events

    events = pd.DataFrame(
        {
            "event": ["birth", "loss", "loss"], "from_timepoint": "pre", "to_timepoint": "D7", "cluster": "1",
            "population": ["activated", "adaptive", "CD56bright"], "partners": None, "n_patients": 6,
            "support": [1.0, 0.3, 0.2], "shuffled_time": 0.0, "verdict": ["shown", "not shown", "not shown"],
            "reason": [None, "in fewer than 80% of the resamples", "in fewer than 80% of the resamples"],
        }
    )  # fmt: skip
    table, text = _events(events, "events_x", Site(tmp_path, "t"))
    assert [row[0] for row in table.rows] == ["birth"]
    assert text.body.startswith("Not shown: 2 (in fewer than 80% of the resamples).")
    (alone,) = _events(events.iloc[1:], "events_y", Site(tmp_path, "t"))
    assert alone.body.startswith(
        "No event is shown: clusters that part or join in the figure may be chance. Not shown: 2 (in"
    )
    assert "No cluster is born" in _events(events.iloc[:0], "events_z", Site(tmp_path, "t"))[0].body
