"""What a page says once, and where a name stands on a map."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.report.blocks import Site
from cimlnk.report.figures.maps import _thickest


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
