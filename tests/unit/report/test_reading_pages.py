"""What a page says once, and where a name stands on a map."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.report.blocks import Site
from cimlnk.report.figures.maps import MOST_FEATURES, _thickest, heat_map


def test_a_name_stands_on_its_cells_not_between_two_islands():
    rng = np.random.default_rng(1)
    islands = np.concatenate([rng.normal((0, 0), 0.3, (300, 2)), rng.normal((10, 10), 0.3, (400, 2))])
    assert np.allclose(_thickest(islands, (-1.0, -1.0, 11.0, 11.0)), (10, 10), atol=0.2)
    assert np.allclose(_thickest(islands[:1], (-1.0, -1.0, 11.0, 11.0)), islands[0])


def test_one_kind_of_data_is_told_below_the_table(tmp_path):
    rows = pd.DataFrame({"modality": "rna", "population": list("abc"), "x": [1, 2, 3], "y": [1, 2, 3], "z": [1, 2, 3]})
    columns = {"modality": "by", "population": "subset", "x": "x", "y": "y", "z": "z"}
    table = Site(tmp_path, "t").table("t", rows, "Rows.", columns=columns)
    assert table.head == ["subset", "x", "y", "z"] and "by single-cell RNA" in table.caption


def test_a_heat_map_shows_what_differs_most_and_no_more_names_than_can_be_read():
    rows = pd.DataFrame(
        [
            {"group": g, "feature": f"f{k}", "mean": v * k, "n_cells": n}
            for g, v, n in (("CD56bright", 1.0, 50), ("adaptive", 0.0, 50), ("proliferating", -9.0, 1))
            for k in range(60)
        ]
    )
    figure = heat_map(rows, "mean", "mean log1p")
    shown = {t.get_text() for t in figure.axes[0].get_xticklabels()}
    assert len(shown) == MOST_FEATURES and {"f59", "f15"} <= shown and "f14" not in shown
