"""The figure of agreement: one panel for every two modalities, and a legend that lies inside the picture."""

from __future__ import annotations

from itertools import combinations

import pandas as pd
import pytest

from cimlnk.report.figures.effects import agreement


@pytest.mark.parametrize("modalities", [("cytof", "rna"), ("cytof", "flow", "adt", "rna")])
def test_every_pair_has_a_panel_and_the_legend_is_in_the_picture(modalities):
    rows = [
        (one, other, name, "P1", day, 10.0 * i, 12.0 * i)
        for one, other in combinations(modalities, 2)
        for i, name in enumerate(("CD56bright", "adaptive"))
        for day in (0, 7)
    ]
    columns = ["one", "other", "population", "patient", "day", "value_one", "value_other"]
    figure = agreement(pd.DataFrame(rows, columns=columns))
    figure.canvas.draw()
    shown = [axis for axis in figure.axes if axis.get_visible()]
    assert len(shown) == len(list(combinations(modalities, 2)))
    (legend,) = [*(a.get_legend() for a in shown if a.get_legend()), *figure.legends]
    box = legend.get_window_extent()
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y0 >= figure.bbox.y0
    assert {text.get_text() for text in legend.get_texts()} == {"CD56bright", "adaptive"}
