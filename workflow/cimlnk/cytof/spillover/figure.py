"""Figures of spillover: the matrix, and the worst pairs before and after compensation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from cimlnk.cytof.figures import AFTER, BEFORE, figure, thin

from .matrix import adapt_matrix, plausible_mask

COFACTOR = 5.0
PAIRS = 6


def draw_matrix(path: str | Path, matrix: pd.DataFrame) -> None:
    """Heat map of the matrix in per cent; cells that spillover cannot reach are hatched grey."""
    rows, columns = list(matrix.index), list(matrix.columns)
    values = 100 * matrix.to_numpy()
    own = np.array([[r == c for c in columns] for r in rows])
    # a small matrix needs room for the words all the same
    with figure(path, max(4.6, 2.2 + 0.2 * len(columns)), max(3.2, 1.4 + 0.2 * len(rows))) as fig:
        ax = fig.subplots()
        shown = np.where(own | ~plausible_mask(rows, columns), np.nan, values)
        top = max(float(np.nanmax(shown)), 1.0) if np.isfinite(shown).any() else 1.0
        ax.set_facecolor("#eceff1")
        image = ax.imshow(shown, cmap="OrRd", vmin=0, vmax=top, aspect="equal")
        for i, j in np.argwhere(shown >= 0.1).tolist():
            colour = "white" if shown[i, j] > 0.6 * top else "black"
            ax.text(j, i, f"{shown[i, j]:.1f}", ha="center", va="center", fontsize=4, color=colour)
        for i, j in np.argwhere(own).tolist():
            ax.text(j, i, "■", ha="center", va="center", fontsize=6, color="#455a64")
        ax.set(xticks=np.arange(len(columns)), yticks=np.arange(len(rows)), xlabel="receives", ylabel="stained with")
        ax.set_xticklabels(columns, rotation=90, fontsize=5)
        ax.set_yticklabels(rows, fontsize=5)
        fig.colorbar(image, ax=ax, shrink=0.6, label="share of the sender's signal (%)")
        ax.set_title("spillover; only ±1, +16 and isotopes of the metal can be reached")


def draw_compensation(
    path: str | Path,
    before: npt.NDArray[np.floating],
    after: npt.NDArray[np.floating],
    *,
    channels: Sequence[str],
    matrix: pd.DataFrame,
) -> None:
    """The pairs in which most counts were moved, before and after, with the line of pure spillover."""
    square, _ = adapt_matrix(matrix, channels)
    values = square.to_numpy() - np.eye(len(square))
    place = [list(channels).index(c) for c in square.columns]
    moved = values * before[:, place].mean(axis=0)[:, None] if len(before) else values
    best = np.argsort(-moved, axis=None, kind="stable")[:PAIRS]
    pairs = [(int(i), int(j)) for i, j in zip(*np.unravel_index(best, moved.shape), strict=True) if values[i, j] > 0]
    with figure(path, 2.3 * max(len(pairs), 2), 4.4) as fig:
        if not pairs:
            fig.text(0.5, 0.5, "no channel of this panel spills into another one", ha="center")
            return
        axes = fig.subplots(2, len(pairs), sharex="col", squeeze=False)
        rows = thin(len(before), 3000)
        for k, (i, j) in enumerate(pairs):
            line = np.geomspace(1, max(float(before[:, place[i]].max(initial=0)), 2), 100)
            for r, (data, colour, name) in enumerate(((before, BEFORE, "before"), (after, AFTER, "after"))):
                ax = axes[r, k]
                x, y = (np.arcsinh(data[rows][:, place[c]] / COFACTOR) for c in (i, j))
                ax.plot(x, y, ".", ms=1.2, alpha=0.4, color=colour, rasterized=True)
                ax.plot(np.arcsinh(line / COFACTOR), np.arcsinh(line * values[i, j] / COFACTOR), "k-", lw=0.6)
                ax.set_ylabel(f"{channels[place[j]]} {name}", fontsize=6)
            axes[0, k].set_title(f"{100 * values[i, j]:.1f} %", fontsize=7)
            axes[1, k].set_xlabel(channels[place[i]], fontsize=7)
        fig.suptitle("pairs in which compensation moves most counts; line: spillover alone; arcsinh(x/5)", fontsize=8)
