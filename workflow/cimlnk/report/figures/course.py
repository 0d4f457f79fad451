"""Counts and folds over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cimlnk.dynamics.baseline import at_baseline
from cimlnk.report.style import (
    by_number,
    colours,
    label,
    label_lowest,
    order,
    panels,
    plain,
    plain_log,
    pyplot,
    short,
    symlog_days,
    tell,
)

IL2_WINDOW = (0, 12)  # seven doses within twelve days of infusion (Shapiro 2022)


def _line(axis: Any, rows: pd.DataFrame, value: str, *, low: str, high: str, colour: str, **kwargs: Any) -> None:
    rows = rows.dropna(subset=[value]).sort_values("day")
    if not len(rows):
        return
    none = rows[value] <= 0
    dots = np.flatnonzero(~none).tolist()
    axis.plot(
        rows["day"], _shown(rows, value, high), color=colour, marker="o", markersize=3, linewidth=1.3, markevery=dots,
        **kwargs,
    )  # fmt: skip
    if none.any():
        axis.plot(rows.loc[none, "day"], rows.loc[none, high], "v", color=colour, markersize=4)
    error = rows[~none].dropna(subset=[low, high])
    if len(error):
        axis.vlines(error["day"], error[low], error[high], color=colour, linewidth=0.8, alpha=0.6)


def _shown(rows: pd.DataFrame, value: str, high: str) -> pd.Series:
    """Values for a logarithmic axis, which has no place for none: that stands at its upper limit."""
    return rows[value].where(~(rows[value] <= 0), rows[high])


def nk_by_patient(
    nk: pd.DataFrame,
    events: pd.DataFrame,
    band: tuple[float, float],
    *,
    baseline: str = "pre",
    il2: bool = False,
) -> Any:
    """NK cells per microlitre, one panel per patient, every arm on the same scale.

    Parameters
    ----------
    nk
        ABUNDANCE rows of population ``NK`` in blood, one per patient and day.
    events
        COUNTS rows with an event.
    band
        The claim's range of folds over the patient's own baseline, shown as a band.
    baseline
        The time point that is the baseline (config `dynamics.baseline_timepoint`).
    il2
        Whether anybody was given IL-2, whose days are shown as a band.
    """
    measured = nk[nk["cells_per_ul"].notna()]
    own = (
        measured[at_baseline(measured, baseline)]
        .groupby("patient")["cells_per_ul"]
        .last()
        .reindex(nk["patient"].unique())
    )
    patients = list(dict.fromkeys(nk.sort_values(["arm", "patient"])["patient"]))
    arm = nk.groupby("patient")["arm"].first()
    colour = colours(sorted(nk["arm"].unique()))
    width, height = (2.75, 2.25) if len(patients) > 1 else (6.4, 3.2)  # a patient alone gets room
    figure, axes = panels(len(patients), most_columns=4, width=width, height=height)
    days = sorted(nk["day"].unique())
    for axis, patient in zip(axes.flat, patients, strict=False):
        mine = nk[nk["patient"] == patient]
        if il2 and max(days) > IL2_WINDOW[1]:
            axis.axvspan(*IL2_WINDOW, color="#FFF3D6", zorder=0)
        base = own[patient]
        if np.isfinite(base):
            axis.axhspan(base * band[0], base * band[1], color="#EFE7F7", zorder=0)
            axis.axhline(base, color="#999999", linewidth=0.8, linestyle=":")
        _line(axis, mine, "cells_per_ul", low="cells_per_ul_low", high="cells_per_ul_high", colour=colour[arm[patient]])
        known = mine.dropna(subset=["cells_per_ul"])
        at = _shown(known, "cells_per_ul", "cells_per_ul_high")
        tell(axis, known["day"], at, texts=[_counted(patient, r) for r in known.itertuples()])
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
    plain_log(axes[0, 0])
    for row in axes:
        row[0].set_ylabel("NK cells / µL")
    return figure


def _counted(name: str, row: Any) -> str:
    text = f"{name}, day {row.day}: {plain(float(row.cells_per_ul))}/µL"
    low, high = plain(float(row.cells_per_ul_low)), plain(float(row.cells_per_ul_high))
    return f"{text} ({low}–{high})" if low and high else text


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
        rows = rows.assign(shown=_shown(rows, "fold_change", "fold_high"))
        for patient, mine in rows.groupby("patient"):
            mine = mine.sort_values("day")
            axis.plot(mine["day"], mine["shown"], color=colour[arm], linewidth=0.7, alpha=0.45)
            words = [f"{patient} ({arm}), day {r.day}: {plain(float(r.fold_change))}-fold" for r in mine.itertuples()]
            tell(axis, mine["day"], mine["shown"], texts=words)
        median = rows.groupby("day")["shown"].median()
        n = rows["patient"].nunique()
        axis.plot(median.index, median, color=colour[arm], linewidth=2.4, marker="o", label=f"{arm} (n = {n})")
    axis.set_yscale("log")
    plain_log(axis)
    axis.set_ylabel("fold over pre-infusion NK/µL")
    symlog_days(axis, sorted(folds["day"].unique()))
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def subsets_absolute(abundance: pd.DataFrame) -> Any:
    """Cells per microlitre of every subset over time, one panel per subset, lines per patient coloured by arm."""
    names = order(abundance["population"])
    arms = sorted(abundance["arm"].unique())
    colour = colours(arms)
    figure, axes = panels(len(names), most_columns=4, width=2.75, height=2.2, top=0.65)
    days = sorted(abundance["day"].unique())
    axes[0, 0].set_yscale("log")
    floor = max(0.01, float(abundance.loc[abundance["cells_per_ul"] > 0, "cells_per_ul"].min()))
    for axis, name in zip(axes.flat, names, strict=False):
        for arm in arms:
            rows_of = abundance[(abundance["population"] == name) & (abundance["arm"] == arm)]
            if not len(rows_of):
                continue
            for _, mine in rows_of.groupby("patient"):
                mine = mine.sort_values("day")
                values = mine["cells_per_ul"].clip(lower=floor)
                axis.plot(mine["day"], values, color=colour[arm], linewidth=0.7, alpha=0.5)
            median = rows_of.groupby("day")["cells_per_ul"].median().clip(lower=floor)
            words = [f"{label(name)}, {arm}, day {d}: median {plain(float(v))}/µL" for d, v in median.items()]
            tell(axis, median.index, median, texts=words)
            axis.plot(median.index, median, color=colour[arm], linewidth=2.2, marker="o", markersize=3.5, label=arm)
        axis.set_title(label(name))
    symlog_days(axes, days)
    label_lowest(axes, len(names))
    plain_log(axes[0, 0])
    for row in axes:
        row[0].set_ylabel("cells / µL")
    handles = [
        pyplot().Line2D([], [], color=colour[a], linewidth=2.2, marker="o", markersize=3.5, label=a) for a in arms
    ]
    figure.legend(handles=handles, loc="upper right", ncols=len(handles))
    return figure


def composition(abundance: pd.DataFrame) -> Any:
    """Share of every subset in each sample, stacked, samples of a patient side by side in the order of their days.

    Where every patient was sampled once, the patients of an arm stand side by side instead.
    """
    names = order(abundance["population"])
    colour = colours(names)
    once = (abundance.groupby("patient")["day"].nunique() == 1).all() and abundance["patient"].nunique() > 1
    # patients sampled once stand side by side in a panel of their arm: one bar a panel would tell little
    panel, tick = ("arm", "patient") if once else ("patient", "timepoint")
    groups = list(dict.fromkeys(abundance.sort_values(["arm", "patient"])[panel]))
    most = abundance.groupby(panel)[tick].nunique().max() if once else 0
    width = max(1.9, 0.6 + 0.2 * most) if len(groups) > 1 else 4.6
    # a letter of the upright labels is about 0.065 inches long
    between = max(0.75, 0.42 + 0.065 * max(abundance[tick].astype(str).str.len().max(), 1))
    right = max(1.6, 0.6 + 0.068 * max(len(label(n)) for n in names))
    figure, axes = panels(
        len(groups), most_columns=max(1, int(11.5 / width)), width=width, height=1.8 + between, right=right, top=0.3,
        sharex=False, between=between,
    )  # fmt: skip
    for axis, group in zip(axes.flat, groups, strict=False):
        mine = abundance[abundance[panel] == group]
        wide = mine.pivot_table(index=["day", "timepoint", "patient"], columns="population", values="fraction",
                                fill_value=0.0)  # fmt: skip
        wide = wide.reindex(columns=names, fill_value=0.0)
        if once:
            wide = wide.loc[sorted(wide.index, key=lambda place: by_number(str(place[-1])))]
        times = [str(t) for t in wide.index.get_level_values(tick)]
        bottom = np.zeros(len(wide))
        for name in names:
            axis.bar(range(len(wide)), wide[name], bottom=bottom, color=colour[name], width=0.86)
            seen = np.flatnonzero(wide[name] >= 0.01)
            words = [f"{group} {times[k]}: {label(name)} {100 * wide[name].iloc[k]:.1f} %" for k in seen]
            tell(axis, seen, (bottom + wide[name].to_numpy() / 2)[seen], texts=words)
            bottom += wide[name].to_numpy()
        axis.set_xticks(range(len(wide)))
        axis.set_xticklabels([short(t) for t in times], rotation=90, fontsize=7)
        axis.set_title(str(group) if once else f"{group} ({mine['arm'].iloc[0]})", fontsize=9)
        axis.grid(False)
        axis.set_ylim(0, 1)
    for axis in axes.flat[len(groups) :]:
        axis.set_visible(False)
    for row in axes:
        row[0].set_ylabel("share of NK cells")
    handles = [pyplot().Rectangle((0, 0), 1, 1, color=colour[n], label=label(n)) for n in names[::-1]]
    figure.legend(handles=handles, loc="center right")
    return figure
