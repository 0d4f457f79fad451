"""Distances of samples before and after batch alignment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cimlnk.cytof.figures import AFTER, BEFORE, QUIET, figure

COLOURS = {"anchor": BEFORE, "same batch": AFTER, "other batch": QUIET}
MEANING = {
    "anchor": "anchors, across batches (to shrink)",
    "same batch": "same batch (to be kept)",
    "other batch": "other pairs",
}


def draw_alignment(
    path: str | Path,
    labels: Sequence[str],
    batch: Sequence[str],
    *,
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    pairs: pd.DataFrame,
    markers: pd.DataFrame | None,
) -> None:
    """Two distance matrices ordered by batch, every pair before against after, and the markers' distances."""
    order = np.lexsort((np.array(labels), np.array(batch)))
    n = len(labels)
    with figure(path, 12, 3.4 + 0.06 * n) as fig:
        grid = fig.subplot_mosaic([["before", "after", "pairs", "markers"]], width_ratios=[1, 1, 1.1, 1])
        top = float(before.max(initial=0)) or 1.0
        for name, d in (("before", before), ("after", after)):
            ax = grid[name]
            image = ax.imshow(d[np.ix_(order, order)], vmin=0, vmax=top, cmap="viridis")
            edges = np.flatnonzero(np.diff(np.unique(np.array(batch)[order], return_inverse=True)[1])) + 0.5
            for e in edges:
                ax.axhline(e, color="white", lw=0.8)
                ax.axvline(e, color="white", lw=0.8)
            size = max(3, 7 - n // 10)
            ax.set(xticks=np.arange(n), yticks=np.arange(n), title=name)
            ax.set_xticklabels([labels[i] for i in order], rotation=90, fontsize=size)
            ax.set_yticklabels([labels[i] for i in order] if name == "before" else [], fontsize=size)
        fig.colorbar(image, ax=[grid["before"], grid["after"]], shrink=0.6, label="distance", location="bottom")
        ax = grid["pairs"]
        for kind, part in sorted(pairs.groupby("kind"), key=lambda g: list(COLOURS).index(str(g[0])), reverse=True):
            colour, meaning = COLOURS[str(kind)], MEANING[str(kind)]
            ax.plot(part["before"], part["after"], "o", ms=3, alpha=0.7, color=colour, label=meaning)
        limit = 1.05 * max(float(before.max(initial=0)), float(after.max(initial=0)), 1e-6)
        ax.plot([0, limit], [0, limit], "-", lw=0.6, color="black")
        ax.plot([0, limit], [0, limit / 2], ":", lw=0.6, color="black")
        ax.set(
            xlabel="before", ylabel="after", title="pairs of samples (dotted: halved)", xlim=(0, limit), ylim=(0, limit)
        )
        ax.legend(fontsize=6)
        ax = grid["markers"]
        if markers is None:
            ax.axis("off")
            return
        shown = markers.sort_values("before", ascending=False, kind="stable").head(25).iloc[::-1]
        y = np.arange(len(shown))
        ax.hlines(y, shown["after"], shown["before"], color=QUIET, lw=0.8)
        ax.plot(shown["before"], y, "o", ms=3, color=BEFORE, label="before")
        ax.plot(shown["after"], y, "o", ms=3, color=AFTER, label="after")
        ax.set(yticks=y, xlabel="distance across batches", title="markers that differed most")
        ax.set_yticklabels(shown["marker"], fontsize=5)
        ax.legend(fontsize=6)
