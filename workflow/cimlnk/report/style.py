"""How figures look: one style, fixed colours, the same bytes for the same data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cimlnk.common.palette import ARMS, OTHERS, POPULATIONS, colours, distinct, label, order

__all__ = [
    "ARMS", "OTHERS", "POPULATIONS", "by_number", "colours", "distinct", "label", "label_lowest", "order", "plain_log",
    "pyplot", "save", "set_days", "symlog_days",
]  # fmt: skip

LANDMARKS = (0, 7, 28, 100, 60, 14, 3, 180)  # days a reader looks for first


def by_number(name: str) -> tuple[tuple[int, str | int], ...]:
    """Sort key that puts D7 before D28 and D100: digits count as numbers, and before letters."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p)) if p.isdigit() else (1, p) for p in parts if p)


def pyplot() -> Any:
    """matplotlib.pyplot with the Agg backend and the project's style."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "font.family": "DejaVu Sans",
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
    )
    return plt


def save(figure: Any, path: str | Path) -> None:
    """Write a figure as SVG or PNG (by the ending) without date or software stamps, and close it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, None] = {"Date": None, "Creator": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(path, metadata=metadata, facecolor="white")
    pyplot().close(figure)


def symlog_days(axis: Any, days: Sequence[int]) -> None:
    """A day axis for one panel of a grid; see :func:`set_days`."""
    grid = axis.get_subplotspec().get_gridspec()
    set_days(axis, days, 0.8 * axis.figure.get_figwidth() / grid.ncols)  # the panel, less its margins


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


def plain_log(axis: Any) -> None:
    """Numbers of a logarithmic axis as they are spoken: 0.1, 1, 10, 100."""
    from matplotlib.ticker import FuncFormatter

    axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.10g}"))


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
