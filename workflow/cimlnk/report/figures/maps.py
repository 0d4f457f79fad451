"""UMAP panels and marker heat maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cimlnk.report.style import OTHERS, colours, label, order, pyplot

MAX_POINTS = 30_000  # more points only make the picture slower, not clearer


def thin(cells: pd.DataFrame, most: int = MAX_POINTS) -> pd.DataFrame:
    """At most `most` cells, evenly spaced over the table, so that every sample keeps its share."""
    if len(cells) <= most:
        return cells
    return cells.iloc[np.linspace(0, len(cells) - 1, most).astype(int)]


def _points(axis: Any, cells: pd.DataFrame, colour: Any, size: float, **kwargs: Any) -> Any:
    drawn = axis.scatter(
        cells["umap1"], cells["umap2"], c=colour, s=size, linewidths=0, rasterized=True, alpha=0.7, **kwargs
    )
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    for side in axis.spines.values():
        side.set_visible(False)
    return drawn


def overview(cells: pd.DataFrame) -> Any:
    """The same map four times: by population, by day, by patient, by confidence of the name.

    Parameters
    ----------
    cells
        One row per cell: umap1, umap2, population, day, patient, confidence.
    """
    plt = pyplot()
    cells = thin(cells)
    # Drawn in an order that hides no group behind another: a fixed shuffle by position in the table.
    cells = cells.iloc[np.random.default_rng(0).permutation(len(cells))]
    size = float(np.clip(40_000 / max(len(cells), 1), 1.0, 12.0))
    figure, axes = plt.subplots(2, 2, figsize=(10.2, 8.2))
    names = order(cells["population"])
    colour = colours(names)
    axis = axes[0, 0]
    _points(axis, cells, cells["population"].map(colour), size)
    for name in names:
        members = cells[cells["population"] == name]
        centre = members[["umap1", "umap2"]].median()
        axis.annotate(
            label(name), centre, fontsize=7.5, ha="center", weight="bold",
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.75},
        )  # fmt: skip
    axis.set_title("named population")
    axis = axes[0, 1]
    days = sorted(cells["day"].unique())
    scale = plt.get_cmap("viridis")(np.linspace(0, 0.95, len(days)))
    shade = dict(zip(days, scale, strict=True))
    _points(axis, cells, [shade[d] for d in cells["day"]], size)
    axis.set_title("day")
    _legend(axis, {_day(d): shade[d] for d in days})
    axis = axes[1, 0]
    patients = sorted(cells["patient"].unique())
    tone = dict(zip(patients, (OTHERS * 10)[: len(patients)], strict=True))
    _points(axis, cells, cells["patient"].map(tone), size)
    axis.set_title("patient")
    _legend(axis, tone)
    axis = axes[1, 1]
    drawn = _points(axis, cells, cells["confidence"], size, cmap="magma_r", vmin=0, vmax=1)
    axis.set_title("confidence of the name")
    figure.colorbar(drawn, ax=axis, shrink=0.6)
    return figure


def _day(day: int) -> str:
    return f"D{day}" if day >= 0 else f"{day} d"


def _legend(axis: Any, shades: dict[Any, Any]) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], marker="o", linestyle="", color=c, markersize=5, label=str(n)) for n, c in shades.items()]
    axis.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=1 + len(handles) // 15)


def heat_map(profiles: pd.DataFrame, value: str, unit: str) -> Any:
    """Profile of every population: colour is the value scaled per feature, features ordered by where they peak.

    Parameters
    ----------
    profiles
        PROFILES rows of level ``population``.
    value
        Column to show (``median`` for markers, ``mean`` for genes).
    """
    plt = pyplot()
    wide = profiles.pivot(index="group", columns="feature", values=value)
    wide = wide.loc[order(wide.index)]
    spread = wide.max() - wide.min()
    scaled = (wide - wide.min()) / spread.where(spread > 1e-9)
    peaks = scaled.fillna(0).to_numpy().argmax(axis=0)
    columns = [c for _, _, c in sorted(zip(peaks, -spread.fillna(0), wide.columns, strict=True))]
    n = profiles.drop_duplicates("group").set_index("group")["n_cells"]
    figure, axis = plt.subplots(figsize=(0.21 * len(columns) + 3.4, 0.34 * len(wide) + 1.9))
    drawn = axis.imshow(scaled[columns], aspect="auto", cmap="magma_r", vmin=0, vmax=1)
    axis.set_xticks(range(len(columns)), columns, rotation=90, fontsize=7)
    axis.set_yticks(range(len(wide)), [f"{label(g)}  ({n[g]:,})" for g in wide.index], fontsize=8)
    axis.grid(False)
    figure.colorbar(drawn, ax=axis, shrink=0.7, label=f"{unit}, scaled per column")
    return figure
