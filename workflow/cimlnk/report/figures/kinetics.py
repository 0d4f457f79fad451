"""The fitted curves of a cell count over what was measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cimlnk.report.style import label, label_lowest, panels, plain, plain_log, pyplot, symlog_days, tell

EVENT = "#B3261E"


def fitted_courses(
    measured: pd.DataFrame,
    curves: pd.DataFrame,
    fits: pd.DataFrame,
    *,
    panel: str,
    colour_by: str,
    colour: dict[str, str],
) -> Any:
    """Small multiples of cells/µL over days: measured values with their intervals, and the fitted curve with its band.

    Every panel has the same axes. A measured value is a filled dot if it entered the fit and an open one if it came
    after a censoring event; a day without a cell is a triangle at its upper limit. A panel without any fitted curve
    says why there is none.

    Parameters
    ----------
    measured
        Blood values as the fit saw them, from :func:`~cimlnk.dynamics.abundance.folds.daily`, by series and day.
    curves
        CURVES of the same series; may lack some, whose measured values then stand alone.
    fits
        KINETICS of the same series: `censored_day`, `model_reason`.
    panel, colour_by
        Columns whose values make the panels, in the order in which `measured` has them, and the colours.
    colour
        Colour of every value of `colour_by`.

    Returns
    -------
    Figure
        Cells per microlitre on a log scale, days spaced by their square root.
    """
    names = list(dict.fromkeys(measured[panel]))
    width, height = (2.75, 2.25) if len(names) > 1 else (6.4, 3.2)
    top = 0.3 if colour_by == panel else 0.65  # for the legend
    figure, axes = panels(len(names), most_columns=4, width=width, height=height, top=top, again=True)
    low, high = _limits(measured, curves)
    if set(names) - set(curves[panel]):
        low /= 2  # room for the word at the foot of a panel
    axes[0, 0].set_yscale("log")  # of all: they share it
    axes[0, 0].set_ylim(low, high)
    for axis, name in zip(axes.flat, names, strict=False):
        axis.axvline(0, color="#999999", linewidth=0.8, linestyle=":")
        mine = fits[fits[panel] == name]
        for event in sorted(set(mine["censored_day"].dropna())):
            axis.axvline(event, color=EVENT, linewidth=0.9, linestyle="--")
        own_curves, own = curves[curves[panel] == name], measured[measured[panel] == name]
        for value, hue in [(name, colour[name])] if colour_by == panel else colour.items():
            points = own[own[colour_by] == value]
            if not len(points):
                continue
            _curve(axis, own_curves[own_curves[colour_by] == value], hue, floor=low)
            limit = mine.loc[mine[colour_by] == value, "censored_day"].min()
            _points(axis, points, hue, censored=limit, floor=low)
            for series, line in points.groupby(["patient", "population"], sort=True):
                if not (own_curves[["patient", "population"]] == list(series)).all(axis=1).any():
                    found = line[line["cells_per_ul"] > 0].sort_values("day")
                    axis.plot(found["day"], found["cells_per_ul"], color=hue, linewidth=0.8, alpha=0.6)
        if not (curves[panel] == name).any():
            why = "; ".join(sorted(set(mine["model_reason"].dropna()))) or "no value"
            axis.text(0.03, 0.03, f"no fit: {why}", transform=axis.transAxes, fontsize=6.5, color="#5c5c66", wrap=True)
        axis.set_title(label(str(name)))
    symlog_days(axes, [0, *measured["day"]])
    label_lowest(axes, len(names))
    plain_log(axes[0, 0])
    for row in axes:
        row[0].set_ylabel("cells / µL")
    if colour_by != panel:
        line = pyplot().Line2D
        handles = [line([], [], color=c, marker="o", markersize=3.5, label=label(v)) for v, c in colour.items()]
        figure.legend(handles=handles, loc="upper right", ncols=min(8, len(handles)))
    return figure


def _limits(measured: pd.DataFrame, curves: pd.DataFrame) -> tuple[float, float]:
    """Range of the values and curves; bands and intervals may leave it, so that one wide one does not flatten all."""
    upper_of_none = measured.loc[measured["cells_per_ul"] <= 0, "cells_per_ul_high"]
    values = pd.concat([measured["cells_per_ul"], upper_of_none, curves["fitted"]])
    values = values[values > 0]
    return (float(values.min()) / 2.5, float(values.max()) * 2.5) if len(values) else (0.1, 1000.0)


def _curve(axis: Any, rows: pd.DataFrame, colour: str, *, floor: float) -> None:
    for _, line in rows.groupby(["patient", "population"], sort=True):
        line = line.sort_values("day")
        axis.fill_between(
            line["day"], line["low"].clip(lower=floor), line["high"].clip(lower=floor), color=colour, alpha=0.18,
            linewidth=0,
        )  # fmt: skip
        axis.plot(line["day"], line["fitted"], color=colour, linewidth=1.5)


def _points(axis: Any, rows: pd.DataFrame, colour: str, *, censored: float, floor: float) -> None:
    rows = rows[rows["cells_per_ul"].notna()]
    used = np.isnan(censored) | (rows["day"] <= censored)
    found = rows["cells_per_ul"] > 0
    for keep, face in ((used, colour), (~used, "white")):
        dots, none = rows[keep & found], rows[keep & ~found]
        style = {"color": colour, "markerfacecolor": face, "linestyle": "none", "markersize": 4, "markeredgewidth": 0.9}
        bars = dots.dropna(subset=["cells_per_ul_low", "cells_per_ul_high"])
        if not len(dots) and not len(none):
            continue
        axis.vlines(
            bars["day"], bars["cells_per_ul_low"].clip(lower=floor), bars["cells_per_ul_high"], color=colour,
            linewidth=0.9,
        )  # fmt: skip
        if len(dots):
            axis.plot(dots["day"], dots["cells_per_ul"], marker="o", **style)
            words = [_words(r, plain(float(r.cells_per_ul))) for r in dots.itertuples()]
            tell(axis, dots["day"], dots["cells_per_ul"], texts=words)
        if len(none):
            axis.plot(none["day"], none["cells_per_ul_high"], marker="v", **style)
            words = [_words(r, f"none, below {plain(float(r.cells_per_ul_high))}") for r in none.itertuples()]
            tell(axis, none["day"], none["cells_per_ul_high"], texts=words)


def _words(row: Any, value: str) -> str:
    return f"{row.patient}, {label(row.population)}, day {row.day}: {value}/µL"
