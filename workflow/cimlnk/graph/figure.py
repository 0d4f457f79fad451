"""Why the resolution was chosen: stability, the same of structureless data, and support, over the resolution."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.tables import read_table

from .resolution import MOST, STABLE
from .tables import RESOLUTIONS

MOST_TICKS = 7


def make_figure(resolutions: str | Path, report: str | Path, figure: str | Path) -> None:
    """Read ``resolutions.parquet`` and ``clustering.json``, write the figure as SVG."""
    record = json.loads(Path(report).read_text())
    plot_resolutions(read_table(resolutions, RESOLUTIONS), record["verdict"], record["reason"], figure=figure)


def spoken(axis: Any, low: float, high: float) -> None:
    """Ticks of a logarithmic axis as plain numbers: 1, 2, 5 of every power of ten, or 1 and 3 where those are many."""
    from matplotlib.ticker import FixedLocator, NullLocator

    powers = range(math.floor(math.log10(max(low, 1e-12))), math.ceil(math.log10(max(high, 1e-12))) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [s * 10.0**p for p in powers for s in steps if low <= s * 10.0**p * (1 + 1e-9) <= high * (1 + 2e-9)]
        if len(ticks) <= MOST_TICKS:
            break
    if len(ticks) < 2:  # the ends themselves, where no round number lies between them
        ticks = sorted({low, high})
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:g}")


def plot_resolutions(table: pd.DataFrame, verdict: str, reason: str, *, figure: str | Path) -> None:
    """Draw the sweep; the thresholds of the choice are the dotted lines, the chosen resolution the vertical one."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.hashsalt": "graph_figure", "font.size": 9}):
        canvas, (upper, lower) = plt.subplots(2, 1, figsize=(8.8, 4.8), sharex=True, height_ratios=(3, 1))
        x = table["resolution"]
        upper.fill_between(x, table["stability_low"], table["stability_high"], color="#4477aa", alpha=0.2, lw=0)
        for column, colour, label in (
            ("stability", "#4477aa", "stability (ARI between subsamples)"),
            ("stability_null", "#bbbbbb", "the same, data without structure"),
            ("adjusted", "#228833", f"stability above it (needs {STABLE:g})"),
            ("supported", "#ee6677", f"cells in supported clusters (needs {MOST:g})"),
        ):
            upper.plot(x, table[column], "o-", ms=3, color=colour, label=label)
        for level, colour in ((STABLE, "#228833"), (MOST, "#ee6677")):
            upper.axhline(level, color=colour, ls=":", lw=0.8)
        lower.plot(x, table["n_clusters"], "o-", ms=3, color="#333333")
        for axis in (upper, lower):
            for chosen in x[table["chosen"]]:
                axis.axvline(chosen, color="#333333", lw=0.8)
        if len(table):
            upper.set_xscale("log")
            lower.set_yscale("log")
            spoken(lower.xaxis, float(x.min()), float(x.max()))
            spoken(lower.yaxis, float(table["n_clusters"].min()), float(table["n_clusters"].max()))
        upper.set_ylim(-0.1, 1.05)
        upper.set_title(f"{verdict}: {reason}", fontsize=8, wrap=True)
        upper.legend(fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        lower.set_xlabel("resolution")
        lower.set_ylabel("clusters")
        canvas.tight_layout()
        canvas.savefig(figure, format="svg", metadata={"Date": None})
        plt.close(canvas)
