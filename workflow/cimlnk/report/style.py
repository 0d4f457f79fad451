"""How figures look: one style, fixed colours, the same bytes for the same data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from numbers import Integral
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cimlnk.common.palette import ARMS, OTHERS, POPULATIONS, colours, distinct, label, order

from .again import keep, taken

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ARMS", "GATES", "OTHERS", "POPULATIONS", "by_number", "colours", "distinct", "label", "label_lowest", "order",
    "panels", "plain", "plain_log", "pyplot", "save", "set_days", "symlog_days", "tell", "told",
]  # fmt: skip

# steps from events to NK cells, in words
GATES = {
    "good_time": "steady acquisition", "no_beads": "not a bead", "event_length": "event length",
    "not_b": "not a B cell", "not_t": "not a T cell", "nk": "NK",
    "counts_low": "enough counts", "counts_high": "not too many counts",
    "genes_low": "enough genes", "genes_high": "not too many genes", "mitochondrial": "few mitochondrial counts",
}  # fmt: skip
DIGITS = re.compile(r"(\d\.\d\d)\d+")
LANDMARKS = (0, 7, 28, 100, 60, 14, 3, 180)  # days a reader looks for first


def by_number(name: str) -> tuple[tuple[int, str | int], ...]:
    """Sort key that puts D7 before D28 and D100: digits count as numbers, and before letters."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p)) if p.isdigit() else (1, p) for p in parts if p)


STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "svg.hashsalt": "cimlnk",
    "figure.constrained_layout.use": True,
}


def pyplot() -> Any:
    """matplotlib.pyplot with the Agg backend and the project's style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    if any(plt.rcParams[key] != value for key, value in STYLE.items()):  # setting checks every value, which costs more
        plt.rcParams.update(STYLE)
    return plt


def plain(value: object) -> str:
    """A cell of a table as text: three significant digits, thousands apart, empty for missing."""
    if value is None or str(value) == "<NA>":
        return ""
    if type(value).__name__ in ("bool", "bool_"):  # numpy's too
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if isinstance(value, float):
        if value != value:
            return ""
        if abs(value) < 1e6 and value == int(value):
            return f"{int(value):,}"
        if 1e6 <= abs(value) < 1e9:
            return f"{float(f'{value:.3g}'):,.0f}"
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    return str(value)


def plain_column(values: pd.Series) -> list[str]:
    """The cells of a column as texts that can be compared down it: fractions all have three significant digits.

    Examples
    --------
    >>> import pandas as pd
    >>> plain_column(pd.Series([0.999, 1.0, 0.95, 22.0, float("nan")])), plain_column(pd.Series([7.0, 28.0]))
    (['0.999', '1.00', '0.950', '22.0', ''], ['7', '28'])
    """
    if values.dtype.kind != "f" or not (values.dropna() % 1 != 0).any():
        return [plain(v) for v in values.astype(object)]
    return [f"{v:#.3g}".removesuffix(".") if 0 < abs(v) < 999.5 else plain(v) for v in values.astype(float)]


Spot = tuple[int, int, str]  # thousandths of the picture's width from the left and of its height from the top; text
MOST_SPOTS = 1_200  # of one picture


def short(name: str, most: int = 30) -> str:
    """A name for an axis, without its middle where it would take more room than the figure.

    Examples
    --------
    >>> short("export_20240117_P1_D28_CIML_trial_tube1_live_singlets")
    'export_2024…tube1_live_singlets'
    """
    return name if len(name) <= most else f"{name[: most // 3 + 1]}…{name[most // 3 + 1 - most :]}"


def tell(axis: Any, x: Iterable[Any], y: Iterable[Any], *, texts: Iterable[str]) -> None:
    """Say what stands at points of an axis (data coordinates); :func:`save` gives their places in the picture."""
    figure = axis.figure
    figure.cimlnk_told = [*getattr(figure, "cimlnk_told", []), (axis, list(x), list(y), list(texts))]


def told(figure: Any) -> list[Spot]:
    """What :func:`tell` said of a figure that was drawn, by place; points outside their axis are left out."""
    import numpy as np

    spots: list[Spot] = []
    for axis, x, y, texts in getattr(figure, "cimlnk_told", []):
        if not len(texts):
            continue
        points = axis.transData.transform(np.column_stack([np.asarray(x, float), np.asarray(y, float)]))
        box = axis.get_window_extent()
        at = figure.transFigure.inverted().transform(points)
        for (px, py), (fx, fy), text in zip(points, at, texts, strict=True):
            if box.x0 - 1 <= px <= box.x1 + 1 and box.y0 - 1 <= py <= box.y1 + 1:
                spots.append((round(1000 * float(fx)), round(1000 * (1 - float(fy))), text))
    return spots[:MOST_SPOTS]


def save(figure: Any, path: str | Path) -> list[Spot]:
    """Write a figure as SVG or PNG (by the ending) without date or software stamps, close it, and give its values.

    Coordinates of an SVG have two digits (a hundredth of a point): half the size, and the same picture.
    """
    import io

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".svg":
        text = io.StringIO()
        _write_svg(figure, text)
        lines = text.getvalue().splitlines(keepends=True)
        short = [line if "scale(" in line else DIGITS.sub(r"\1", line) for line in lines]
        path.write_text("".join(short), encoding="utf-8")
    else:
        figure.savefig(path, dpi=110, metadata={"Software": None}, facecolor="white")
    spots = told(figure)
    pyplot().close(figure)
    if hasattr(figure, "cimlnk_grid"):
        keep(figure, *figure.cimlnk_grid)
    return spots


def _write_svg(figure: Any, text: IO[str]) -> None:
    """As ``figure.savefig`` writes it, which draws a figure once more than needed to lay it out."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    canvas, dpi = figure.canvas, figure.dpi
    svg = FigureCanvasSVG(figure)
    figure.set_facecolor("white")
    engine = figure.get_layout_engine()
    if figure.axes and engine is not None:
        figure.dpi = svg.fixed_dpi
        with suppress(ValueError):  # as matplotlib does: what could not be laid out is drawn as it stands
            engine.execute(figure)
        figure.set_layout_engine("none")
    figure.dpi = 110
    svg.print_svg(text, metadata={"Date": None, "Creator": None})
    figure.set_canvas(canvas)
    figure.dpi = dpi


def panels(
    n: int,
    *,
    most_columns: int,
    width: float,
    height: float,
    right: float = 0.15,
    top: float = 0.3,
    between: float = 0.45,
    sharex: bool = True,
    again: bool = False,
) -> Any:
    """A grid of small multiples that share their axes, with fixed margins: a layout engine would draw everything twice.

    Parameters
    ----------
    n
        Panels that are used.
    most_columns
        Of the grid.
    width, height
        Of a panel with its labels, inches.
    right, top
        Room for a legend, inches.
    between
        Of the height, for the labels under a panel and the title of the next.
    sharex
        Whether the panels have the same horizontal axis.
    again
        Whether a figure of this shape that was saved may be emptied and filled anew (:mod:`cimlnk.report.again`).
    """
    plt = pyplot()
    columns = min(most_columns, max(1, n))
    rows = -(-n // columns) or 1
    wide, tall = 0.75 + width * columns - 0.25 + right, height * rows + top + 0.1
    key = rows, columns, wide, tall, between, sharex
    if again and (kept := taken(key)):
        return kept
    figure, axes = plt.subplots(
        rows, columns, figsize=(wide, tall), sharex=sharex, sharey=True, squeeze=False, layout="none"
    )
    figure.subplots_adjust(
        left=0.75 / wide, right=1 - (right + 0.05) / wide, bottom=between / tall + 0.1 / tall, top=1 - top / tall,
        wspace=0.25 / (width - 0.25), hspace=between / (height - between),
    )  # fmt: skip
    if again:
        figure.cimlnk_grid = axes, key
    return figure, axes


def symlog_days(axes: Any, days: Sequence[int]) -> None:
    """Day axes of a grid whose panels share them: set once, not anew on all for each panel; see :func:`set_days`.

    Parameters
    ----------
    axes
        The grid, or a sole axis.
    days
        The sampled days of all panels.
    """
    import numpy as np

    first, *others = np.asarray(axes, dtype=object).flat
    grid = first.get_subplotspec().get_gridspec()
    set_days(first, days, 0.8 * first.figure.get_figwidth() / grid.ncols)  # the panel, less its margins
    for axis in others:
        axis.set_xlabel(first.get_xlabel())


def set_days(axis: Any, days: Sequence[int], inches: float) -> None:
    """A day axis that shows the first weeks and the months: square-root spacing, ticks on sampled days.

    Where labels would touch, the ends and the days of the study's plan (LANDMARKS) go before the others.

    Parameters
    ----------
    axis, days
        The axis and the sampled days.
    inches
        Width of the axis.
    """
    import numpy as np
    from matplotlib.ticker import NullLocator

    axis.set_xscale(
        "function",
        functions=(lambda d: np.sign(d) * np.sqrt(np.abs(d)), lambda t: np.sign(t) * np.square(t)),
    )
    place = {int(d): float(np.sign(d) * np.sqrt(abs(d))) for d in sorted(set(days))}
    per_inch = (max(place.values()) - min(place.values())) / inches
    ticks: list[int] = []
    for day in dict.fromkeys([min(place), max(place), *(d for d in LANDMARKS if d in place), *place]):
        gaps = [(abs(place[day] - place[t]), len(str(day)) + len(str(t))) for t in ticks]
        if all(gap > per_inch * (0.085 * letters / 2 + 0.04) for gap, letters in gaps):
            ticks.append(day)
    ticks.sort()
    axis.set_xticks(ticks)
    axis.set_xticklabels([str(d) for d in ticks])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("day after infusion")


def plain_log(axis: Any, which: str = "y") -> None:
    """Numbers of a logarithmic axis as they are spoken: 0.1, 1, 10, 100; without ticks between, which cost most."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    scale = axis.yaxis if which == "y" else axis.xaxis
    scale.set_minor_locator(NullLocator())
    scale.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g}"))


def label_lowest(axes: Any, n: int) -> None:
    """Day labels only under the lowest of the first `n` panels of each column, and always there; hide the others."""
    columns = axes.shape[1]
    for number, axis in enumerate(axes.flat):
        if number >= n:
            axis.set_visible(False)
        elif number + columns < n:
            axis.set_xlabel("")
        else:
            axis.tick_params(labelbottom=True)
