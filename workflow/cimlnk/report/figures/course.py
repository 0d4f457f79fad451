"""Counts and folds over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cimlnk.report.style import colours, label, label_lowest, order, pyplot, symlog_days

IL2_WINDOW = (0, 12)  # seven doses within twelve days of infusion (Shapiro 2022)


def _line(axis: Any, rows: pd.DataFrame, value: str, *, low: str, high: str, colour: str, **kwargs: Any) -> None:
    rows = rows.dropna(subset=[value]).sort_values("day")
    if not len(rows):
        return
    axis.plot(rows["day"], rows[value], color=colour, marker="o", markersize=3, linewidth=1.3, **kwargs)
    error = rows.dropna(subset=[low, high])
    if len(error):
        axis.vlines(error["day"], error[low], error[high], color=colour, linewidth=0.8, alpha=0.6)


def nk_by_patient(nk: pd.DataFrame, events: pd.DataFrame, band: tuple[float, float]) -> Any:
    """NK cells per microlitre, one panel per patient, every arm on the same scale.

    Parameters
    ----------
    nk
        ABUNDANCE rows of population ``NK`` in blood, one per patient and day.
    events
        COUNTS rows with an event.
    band
        The claim's range of folds over the patient's own baseline, shown as a band.
    """
    plt = pyplot()
    patients = list(dict.fromkeys(nk.sort_values(["arm", "patient"])["patient"]))
    arm = nk.groupby("patient")["arm"].first()
    colour = colours(sorted(nk["arm"].unique()))
    columns = min(4, max(1, len(patients)))
    rows = -(-len(patients) // columns)
    width, height = (2.75, 2.25) if len(patients) > 1 else (6.4, 3.2)  # a patient alone gets room
    figure, axes = plt.subplots(
        rows, columns, figsize=(width * columns + 0.4, height * rows + 0.3), sharex=True, sharey=True, squeeze=False
    )
    days = sorted(nk["day"].unique())
    for axis, patient in zip(axes.flat, patients, strict=False):
        mine = nk[nk["patient"] == patient]
        if max(days) > IL2_WINDOW[1]:
            axis.axvspan(*IL2_WINDOW, color="#FFF3D6", zorder=0)
        before = mine.loc[(mine["day"] < 0) & mine["cells_per_ul"].notna(), "cells_per_ul"]
        if len(before):
            base = float(before.iloc[-1])
            axis.axhspan(base * band[0], base * band[1], color="#EFE7F7", zorder=0)
            axis.axhline(base, color="#999999", linewidth=0.8, linestyle=":")
        _line(axis, mine, "cells_per_ul", low="cells_per_ul_low", high="cells_per_ul_high", colour=colour[arm[patient]])
        mine_events = events[events["patient"] == patient].sort_values("day")
        for number, (_, event) in enumerate(mine_events.iterrows()):
            axis.axvline(event["day"], color="#B3261E", linewidth=0.9, linestyle="--")
            height = 0.97 if number % 2 == 0 else 0.42  # neighbouring events do not write over each other
            axis.annotate(
                str(event["event"]).replace("_", " "), (event["day"], height), xycoords=("data", "axes fraction"),
                rotation=90, fontsize=6.5, color="#B3261E", ha="right", va="top",
            )  # fmt: skip
        axis.set_title(f"{patient}  ({arm[patient]})")
        axis.set_yscale("log")
        symlog_days(axis, days)
    label_lowest(axes, len(patients))
    for row in axes:
        row[0].set_ylabel("NK cells / µL")
    return figure


def folds_by_arm(folds: pd.DataFrame, band: tuple[float, float]) -> Any:
    """Fold of all NK cells over the pre-infusion count: patients as thin lines, the arm's median as a thick one."""
    plt = pyplot()
    arms = sorted(folds["arm"].unique())
    colour = colours(arms)
    figure, axis = plt.subplots(figsize=(7.2, 3.9))
    axis.axhspan(*band, color="#EFE7F7", zorder=0)
    axis.axhline(1, color="#999999", linewidth=0.8, linestyle=":")
    for arm in arms:
        rows = folds[folds["arm"] == arm]
        for _, mine in rows.groupby("patient"):
            mine = mine.sort_values("day")
            axis.plot(mine["day"], mine["fold_change"], color=colour[arm], linewidth=0.7, alpha=0.45)
        median = rows.groupby("day")["fold_change"].median()
        n = rows["patient"].nunique()
        axis.plot(median.index, median, color=colour[arm], linewidth=2.4, marker="o", label=f"{arm} (n = {n})")
    axis.set_yscale("log")
    axis.set_ylabel("fold over pre-infusion NK/µL")
    symlog_days(axis, sorted(folds["day"].unique()))
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def subsets_absolute(abundance: pd.DataFrame) -> Any:
    """Cells per microlitre of every subset over time, one panel per subset, lines per patient coloured by arm."""
    plt = pyplot()
    names = order(abundance["population"])
    arms = sorted(abundance["arm"].unique())
    colour = colours(arms)
    columns = min(4, max(1, len(names)))
    rows = -(-len(names) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.75 * columns + 0.4, 2.2 * rows + 0.5), sharex=True, sharey=True, squeeze=False
    )
    days = sorted(abundance["day"].unique())
    floor = max(0.01, float(abundance.loc[abundance["cells_per_ul"] > 0, "cells_per_ul"].min()))
    for axis, name in zip(axes.flat, names, strict=False):
        for arm in arms:
            rows_of = abundance[(abundance["population"] == name) & (abundance["arm"] == arm)]
            for _, mine in rows_of.groupby("patient"):
                mine = mine.sort_values("day")
                values = mine["cells_per_ul"].clip(lower=floor)
                axis.plot(mine["day"], values, color=colour[arm], linewidth=0.7, alpha=0.5)
            median = rows_of.groupby("day")["cells_per_ul"].median().clip(lower=floor)
            axis.plot(median.index, median, color=colour[arm], linewidth=2.2, marker="o", markersize=3.5, label=arm)
        axis.set_title(label(name))
        axis.set_yscale("log")
        symlog_days(axis, days)
    label_lowest(axes, len(names))
    for row in axes:
        row[0].set_ylabel("cells / µL")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
    return figure


def composition(abundance: pd.DataFrame) -> Any:
    """Share of every subset in each sample, stacked, samples of a patient side by side in the order of their days."""
    plt = pyplot()
    names = order(abundance["population"])
    colour = colours(names)
    patients = list(dict.fromkeys(abundance.sort_values(["arm", "patient"])["patient"]))
    columns = min(6, max(1, len(patients)))
    rows = -(-len(patients) // columns)
    width = 2.05 if len(patients) > 1 else 4.6
    figure, axes = plt.subplots(rows, columns, figsize=(width * columns + 1.6, 2.5 * rows), sharey=True, squeeze=False)
    for axis, patient in zip(axes.flat, patients, strict=False):
        mine = abundance[abundance["patient"] == patient]
        wide = mine.pivot_table(index=["day", "timepoint"], columns="population", values="fraction", fill_value=0.0)
        wide = wide.reindex(columns=names, fill_value=0.0)
        bottom = np.zeros(len(wide))
        for name in names:
            axis.bar(range(len(wide)), wide[name], bottom=bottom, color=colour[name], width=0.86, label=label(name))
            bottom += wide[name].to_numpy()
        axis.set_xticks(range(len(wide)))
        axis.set_xticklabels(wide.index.get_level_values("timepoint"), rotation=90, fontsize=7)
        axis.set_title(f"{patient} ({mine['arm'].iloc[0]})", fontsize=9)
        axis.grid(False)
        axis.set_ylim(0, 1)
    for axis in axes.flat[len(patients) :]:
        axis.set_visible(False)
    for row in axes:
        row[0].set_ylabel("share of NK cells")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center")
    return figure
