import pandas as pd
from matplotlib.figure import Figure

from cimlnk.graph.figure import plot_resolutions, spoken
from cimlnk.graph.tables import RESOLUTIONS


def sweep():
    rows = [
        (0.1, 3, 0.9, 0.95, 0.9, 1.0, 0.3, 0.93, 1.0, True, None),
        (1.0, 9, 0.7, 0.4, 0.3, 0.5, 0.3, 0.1, 0.2, False, None),
    ]
    return RESOLUTIONS.check(pd.DataFrame(rows, columns=list(RESOLUTIONS.columns)))


def test_the_figure_is_the_same_bytes_each_time(tmp_path):
    for name in ("a.svg", "b.svg"):
        plot_resolutions(sweep(), "stable structure", "because", figure=tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert b"</svg>" in (tmp_path / "a.svg").read_bytes()


def test_an_empty_sweep_is_drawn(tmp_path):
    plot_resolutions(RESOLUTIONS.empty(), "no stable structure", "20 cells", figure=tmp_path / "a.svg")
    assert (tmp_path / "a.svg").stat().st_size > 1000


def test_numbers_of_logarithmic_axes_are_plain():
    for low, high, wanted in (
        (3, 40, "5 10 20"),
        (0.05, 4, "0.05 0.1 0.2 0.5 1 2"),
        (0.01, 100, "0.01 0.1 1 10 100"),
        (4, 4, "4"),
        (6, 8, "6 8"),
    ):
        axis = Figure().add_subplot()
        axis.set_yscale("log")
        axis.set_ylim(low * 0.9, high * 1.1)
        spoken(axis.yaxis, low, high)
        assert " ".join(t.get_text() for t in axis.get_yticklabels()) == wanted
