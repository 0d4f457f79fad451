"""What debarcoding did: separations and doublets, yield over cut-off, events per sample, staining of every code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cimlnk.cytof.figures import AFTER, BEFORE, QUIET, figure

from .assign import Assignment
from .cutoffs import LOW, simulate_doublets


def draw_barcodes(
    path: str | Path, counts: npt.NDArray[np.floating], found: Assignment, *, cofactor: float, seed: int
) -> None:
    """Four panels: separations with the simulated doublets, yields, events per sample, median staining by code."""
    key, n = found.key, len(found.key.samples)
    with figure(path, 9.5, 2.6 + max(3.0, 0.16 * n)) as fig:
        grid = fig.subplot_mosaic(
            [["separation", "yield"], ["events", "staining"]], height_ratios=[2.6, max(3.0, 0.16 * n)]
        )
        bins = np.arange(0, 1.22, 0.02).tolist()
        valid = found.nearest >= 0
        ax = grid["separation"]
        ax.hist(found.separation[valid], bins, color=QUIET, label=f"all events ({valid.sum()})")
        ax.hist(found.separation[found.sample >= 0], bins, color=AFTER, label=f"assigned ({100 * found.share:.1f} %)")
        _, made = simulate_doublets(
            counts, key, found.nearest, separation=found.separation, cofactor=cofactor, seed=seed
        )
        if (made < LOW).any():
            factor = (found.separation[valid] < LOW).sum() / (made < LOW).sum()
            height, _ = np.histogram(made, bins)
            ax.stairs(height * factor, bins, color=BEFORE, lw=1.2, label="doublets made from the data")
        ax.set(xlabel="separation of the barcode metals", ylabel="events", title="separation")
        ax.legend(fontsize=6)
        ax = grid["yield"]
        cuts = np.linspace(0, 1, 101)
        for i in range(n):
            mine = np.sort(found.separation[found.nearest == i])
            if len(mine):
                share = 1 - np.searchsorted(mine, cuts, side="right") / len(mine)
                ax.plot(cuts, share, lw=0.6, color=QUIET)
                ax.plot(found.cutoffs[i], np.interp(found.cutoffs[i], cuts, share), "o", ms=2.5, color=AFTER)
        ax.set(
            xlabel="cut-off", ylabel="share of the code's events kept", title="yield over cut-off (dot: the one used)"
        )
        ax = grid["events"]
        ax.barh(np.arange(n), found.counts, color=AFTER)
        for i, count in enumerate(found.counts):
            ax.text(count, i, f" {count}", va="center", fontsize=5)
        ax.set(
            yticks=np.arange(n), yticklabels=key.samples, ylim=(n - 0.5, -0.5), xlabel="events assigned", title="yield"
        )
        ax.tick_params(axis="y", labelsize=6 if n <= 40 else 4)
        ax = grid["staining"]
        medians = np.full((n, len(key.masses)), np.nan)
        for i in range(n):
            if (found.sample == i).any():
                medians[i] = np.median(found.scaled[found.sample == i], axis=0)
        image = ax.imshow(medians, aspect="auto", cmap="viridis", vmin=0, vmax=1)
        y, x = np.nonzero(key.code)
        ax.plot(x, y, ".", ms=2, color="white")
        ax.set(
            xticks=np.arange(len(key.masses)),
            xticklabels=key.masses,
            yticks=[],
            xlabel="barcode mass",
            title="median scaled intensity (dot: in the code)",
        )
        ax.tick_params(axis="x", labelsize=6, rotation=90 if len(key.masses) > 12 else 0)
        fig.colorbar(image, ax=ax, shrink=0.8)
