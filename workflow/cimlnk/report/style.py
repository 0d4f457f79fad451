"""How figures look: one style, fixed colours, the same bytes for the same data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from cimlnk.common.vocabulary import NK, UNASSIGNED

# Okabe & Ito's palette where it reaches, so that colour-blind readers tell the subsets apart; grey means unassigned.
POPULATIONS = {
    "CD56bright": "#0072B2",
    "CD56dim": "#5B6B8C",
    "CD56dim_NKG2A": "#56B4E9",
    "CD56dim_KIR": "#009E73",
    "CD56dim_CD57": "#7A5C3E",
    "adaptive": "#CC79A7",
    "CIML_activated": "#D55E00",
    "proliferating": "#E6B400",
    "memory_like": "#8B2FC9",
    "unassigned": "#B8B8B8",
    "NK": "#222222",
}
LABELS = {
    "CD56dim": "CD56dim, not typed further",
    "CD56dim_NKG2A": "CD56dim NKG2A+",
    "CD56dim_KIR": "CD56dim KIR+",
    "CD56dim_CD57": "CD56dim CD57+",
    "CIML_activated": "activated CIML",
    "memory_like": "memory-like",
    "NK": "all NK",
}
ARMS = {
    "CIML": "#8B2FC9",
    "IL2_only": "#0072B2",
    "nonpersister": "#D55E00",
    "no_cytokine": "#E6B400",
    "healthy": "#009E73",
}
OTHERS = ["#4C78A8", "#F58518", "#54A24B", "#E45756", "#72B7B2", "#B279A2", "#9D755D", "#79706E", "#EECA3B", "#FF9DA6"]

LANDMARKS = (0, 7, 28, 100, 60, 14, 3, 180)  # days a reader looks for first


def label(population: str) -> str:
    """Name of a population as it is read, not as it is stored."""
    return LABELS.get(population, population)


def colours(names: Iterable[str], known: dict[str, str] | None = None) -> dict[str, str]:
    """A colour for each name: the fixed one where there is one, else the next of a short list."""
    known = {**POPULATIONS, **ARMS} if known is None else known
    result, free = {}, iter(OTHERS * 20)
    for name in names:
        result[name] = known[name] if name in known else next(free)
    return result


def order(populations: Iterable[str]) -> list[str]:
    """Populations in their fixed order, unknown ones by name behind them, unassigned last."""
    present = set(populations)
    fixed = [p for p in POPULATIONS if p in present and p not in (UNASSIGNED, NK)]
    rest = sorted(present - set(POPULATIONS))
    return fixed + rest + ([UNASSIGNED] if UNASSIGNED in present else [])


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
    """A day axis that shows the first weeks and the months: square-root spacing, ticks on sampled days.

    Where labels would touch, the ends and the days of the study's plan (LANDMARKS) go before the others.
    """
    import numpy as np

    axis.set_xscale(
        "function",
        functions=(lambda d: np.sign(d) * np.sqrt(np.abs(d)), lambda t: np.sign(t) * np.square(t)),
    )
    grid = axis.get_subplotspec().get_gridspec()
    place = {int(d): float(np.sign(d) * np.sqrt(abs(d))) for d in sorted(set(days))}
    inches = 0.8 * axis.figure.get_figwidth() / grid.ncols  # the panel, less its margins
    per_inch = (max(place.values()) - min(place.values())) / inches
    ticks: list[int] = []
    for day in dict.fromkeys([min(place), max(place), *(d for d in LANDMARKS if d in place), *place]):
        gaps = [(abs(place[day] - place[t]), len(str(day)) + len(str(t))) for t in ticks]
        if all(gap > per_inch * (0.085 * letters / 2 + 0.04) for gap, letters in gaps):
            ticks.append(day)
    ticks.sort()
    axis.set_xticks(ticks)
    axis.set_xticklabels([str(d) for d in ticks])
    axis.xaxis.set_minor_locator(__import__("matplotlib.ticker", fromlist=["NullLocator"]).NullLocator())
    axis.set_xlabel("day after infusion")


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
