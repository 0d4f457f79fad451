"""UMAP panels and marker heat maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cimlnk.report.style import colours, label, order, plain, pyplot, tell

MOST_IN_LEGEND = 60  # names beside a map; a longer legend is wider than the map
MAX_POINTS = 30_000  # more points only make the picture slower, not clearer
MOST_FEATURES = 45  # of a heat map: more names are too small to read
FEW_CELLS = 10  # a population of fewer does not say what differs


def thin(cells: pd.DataFrame, most: int = MAX_POINTS) -> pd.DataFrame:
    """At most `most` cells, evenly spaced over the table, so that every sample keeps its share."""
    if len(cells) <= most:
        return cells
    return cells.iloc[np.linspace(0, len(cells) - 1, most).astype(int)]


def _points(axis: Any, cells: pd.DataFrame, colour: Any, *, size: float, **kwargs: Any) -> Any:
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
    """The same map by population, day and confidence of the name, and by patient, arm and batch where there are two.

    Parameters
    ----------
    cells
        One row per cell: umap1, umap2, population, confidence; day, patient, arm, batch where known.
    """
    plt = pyplot()
    cells = thin(cells)
    # Drawn in an order that hides no group behind another: a fixed shuffle by position in the table.
    cells = cells.iloc[np.random.default_rng(0).permutation(len(cells))]
    size = float(np.clip(40_000 / max(len(cells), 1), 1.0, 12.0))
    panels = ["population", "day", "confidence", "patient", "arm", "batch"]
    panels = [p for p in panels if p in ("population", "confidence") or (p in cells and cells[p].nunique() > 1)]
    columns = 2
    height = 4.1 * -(-len(panels) // columns)
    figure, axes = plt.subplots(-(-len(panels) // columns), columns, figsize=(10.2, height), squeeze=False)
    for axis, what in zip(axes.flat, panels, strict=False):
        axis.set_title("named population" if what == "population" else what)
        if what == "confidence":
            axis.set_title("confidence of the name")
            drawn = _points(axis, cells, cells["confidence"], size=size, cmap="magma_r", vmin=0, vmax=1)
            figure.colorbar(drawn, ax=axis, shrink=0.6)
            continue
        names: list[Any] = order(cells[what]) if what == "population" else sorted(cells[what].unique())
        if what == "day":
            shades = plt.get_cmap("viridis")(np.linspace(0, 0.95, len(names)))
            tone = {_day(d): c for d, c in zip(names, shades, strict=True)}
            _points(axis, cells, [tone[_day(d)] for d in cells["day"]], size=size)
        else:
            tone = colours(map(str, names))
            _points(axis, cells, cells[what].astype(str).map(tone), size=size)
        if what == "population":
            _names(axis, cells, names)
        else:
            _legend(axis, tone)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    return figure


def _names(axis: Any, cells: pd.DataFrame, names: list[str]) -> None:
    """Names where most of their cells lie, moved down where two would lie over each other."""
    low, high = axis.get_ylim()
    left, right = axis.get_xlim()
    line, letter = (high - low) / 20, (right - left) / 50  # about a line's height and a letter's width of the panel
    placed: list[tuple[float, float, float]] = []
    for name in names:
        own = cells.loc[cells["population"] == name, ["umap1", "umap2"]].to_numpy()
        x, y = _thickest(own, (left, low, right, high))
        half = letter * len(label(name)) / 2
        for _ in range(25):
            if not any(abs(x - a) < half + w and abs(y - b) < line for a, b, w in placed):
                break
            y -= line / 2
        placed.append((x, y, half))
        axis.annotate(
            label(name), (x, y), fontsize=7.5, ha="center", va="center", weight="bold",
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.75},
        )  # fmt: skip


def _thickest(points: np.ndarray, box: tuple[float, float, float, float]) -> tuple[float, float]:
    """Middle of the points where most lie (nine fields of an 18 x 18 grid): around the middle of all may be none."""
    low, high = np.array(box[:2]), np.array(box[2:])
    at = np.clip(((points - low) / (high - low) * 18).astype(int), 0, 17)
    counts = np.zeros((20, 20))
    np.add.at(counts, (at[:, 0] + 1, at[:, 1] + 1), 1)
    near = np.array([[counts[i : i + 3, j : j + 3].sum() for j in range(18)] for i in range(18)])
    field = np.array(np.unravel_index(int(near.argmax()), near.shape))
    middle = np.median(points[(abs(at - field) <= 1).all(axis=1)], axis=0)
    return float(middle[0]), float(middle[1])


def _day(day: int) -> str:
    return f"day {day}"


def _legend(axis: Any, shades: dict[Any, Any]) -> None:
    from matplotlib.lines import Line2D

    if len(shades) > MOST_IN_LEGEND:
        axis.set_title(f"{axis.get_title(loc='left')} ({len(shades):,}, not named)")
        return
    handles = [Line2D([], [], marker="o", linestyle="", color=c, markersize=5, label=str(n)) for n, c in shades.items()]
    axis.legend(handles=handles, loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=1 + len(handles) // 15)


def heat_map(profiles: pd.DataFrame, value: str, unit: str) -> Any:
    """Profile of every population on one absolute scale, features ordered by where they peak.

    A feature that is low everywhere is pale everywhere: colour is the value, not its rank among the populations, so
    that few or like populations do not look opposite. Of more than :data:`MOST_FEATURES` those that differ most between
    populations of :data:`FEW_CELLS` cells or more are shown.

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
    n = profiles.drop_duplicates("group").set_index("group")["n_cells"]
    many = wide[n.loc[wide.index] >= FEW_CELLS] if (n >= FEW_CELLS).sum() > 1 else wide
    spread = many.max() - many.min()
    wide = wide[wide.columns[spread.rank(ascending=False, method="first") <= MOST_FEATURES]]
    spread = spread[wide.columns]
    peaks = wide.fillna(0).to_numpy().argmax(axis=0)
    columns = [c for _, _, c in sorted(zip(peaks, -spread.fillna(0), wide.columns, strict=True))]
    top = float(np.nanquantile(wide.to_numpy(dtype=float), 0.99)) if wide.notna().to_numpy().any() else 1.0
    figure, axis = plt.subplots(figsize=(0.21 * len(columns) + 3.4, 0.34 * len(wide) + 1.9))
    drawn = axis.imshow(wide[columns].astype(float), aspect="auto", cmap="magma_r", vmin=0, vmax=max(top, 1e-6))
    axis.set_xticks(range(len(columns)), columns, rotation=90, fontsize=7)
    axis.set_yticks(range(len(wide)), [f"{label(g)}  ({n[g]:,})" for g in wide.index], fontsize=8)
    axis.grid(False)
    shown = wide[columns]
    y, x = np.where(shown.notna().to_numpy())
    cells = [(shown.index[a], columns[b], plain(float(shown.iat[a, b]))) for a, b in zip(y, x, strict=True)]
    tell(axis, x, y, texts=[f"{label(g)}, {f}: {v}" for g, f, v in cells])
    figure.colorbar(drawn, ax=axis, shrink=0.7, label=unit, extend="max")
    return figure
