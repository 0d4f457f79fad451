"""Effects with intervals, and agreement of the modalities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import MODALITY_WORDS
from cimlnk.report.style import by_number, colours, label, order, plain, plain_log, pyplot, tell

BY = {"cytof": "mass cytometry", "flow": "flow cytometry", "adt": "CITE-seq protein", "rna": "single-cell RNA"}


def forest(tests: pd.DataFrame, unit: str, most: int = 80) -> Any:
    """Effect and 95 % interval of each population and contrast; filled where the interval excludes zero.

    A population is named at the first of its rows; what all contrasts begin with (the arm) is left to the caption.

    Parameters
    ----------
    tests
        TESTS rows of one test and modality; shown are the first `most` by population and contrast.
    """
    plt = pyplot()
    rows = tests.dropna(subset=["effect"]).copy()
    names = [*(["NK"] if (rows["population"] == "NK").any() else []), *order(rows["population"])]
    rank = {p: i for i, p in enumerate(names)}
    rows["rank"] = rows["population"].map(rank)
    rows["place"] = rows["contrast"].map(by_number)
    rows = rows.sort_values(["rank", "place"], kind="stable").head(most).iloc[::-1]
    colour = colours(names)
    first = ~rows["population"].iloc[::-1].duplicated().iloc[::-1].to_numpy()
    # a gap between populations
    y = (np.arange(len(rows)) + 0.5 * np.r_[0.0, np.cumsum(first[:-1])]) if len(rows) else np.zeros(0)
    figure, axis = plt.subplots(figsize=(8.6, 0.2 * (y.max() + 1 if len(y) else 1) + 1.1))
    sure = (rows["effect_low"] > 0) | (rows["effect_high"] < 0)
    tones = rows["population"].map(colour)
    axis.hlines(y, rows["effect_low"], rows["effect_high"], color=tones, linewidth=1.5)
    axis.scatter(rows["effect"], y, s=26, c=np.where(sure, tones, "white"), edgecolors=list(tones), zorder=3)
    axis.axvline(0, color="#777777", linewidth=0.8)
    arms = {c.partition(": ")[0] for c in rows["contrast"]}
    short = [c.partition(": ")[2] if len(arms) == 1 and ": " in c else c for c in rows["contrast"]]
    ticks = [f"{label(p)}    {c}" if f else c for p, c, f in zip(rows["population"], short, first, strict=True)]
    axis.set_yticks(y, ticks, fontsize=7.5)
    whole = [f"{label(p)} · {c}" for p, c in zip(rows["population"], rows["contrast"], strict=True)]
    ends = zip(whole, rows["effect"], rows["effect_low"], rows["effect_high"], strict=True)
    words = [f"{t}: {plain(float(e))} ({plain(float(a))} to {plain(float(b))})" for t, e, a, b in ends]
    tell(axis, rows["effect"], y, texts=words)
    axis.set_xlabel(unit)
    axis.set_ylim(-0.8, (y.max() if len(y) else 0) + 0.8)
    return figure


def agreement(pairs: pd.DataFrame) -> Any:
    """Share of each population at matched samples, one panel for every two modalities.

    Parameters
    ----------
    pairs
        AGREEMENT_PAIRS of measure ``fraction`` (per cent).
    """
    plt = pyplot()
    groups = list(pairs.groupby(["one", "other"], sort=False))
    columns = min(3, len(groups))
    lines = -(-len(groups) // columns)
    # the legend hangs beside the last panel
    width, height = (5.4, 4.4) if len(groups) == 1 else (2.7 * columns + 1.6, 2.7 * lines)
    figure, axes = plt.subplots(lines, columns, figsize=(width, height), squeeze=False)
    names = order(pairs["population"])
    colour = colours(names)
    top = float(np.nanmax(pairs[["value_one", "value_other"]].to_numpy())) * 1.05
    for axis, ((one, other), mine) in zip(axes.flat, groups, strict=False):
        axis.plot([0, top], [0, top], color="#999999", linewidth=0.8, linestyle=":")
        for name in names:
            rows = mine[mine["population"] == name]
            x, y = rows["value_one"], rows["value_other"]
            axis.scatter(x, y, s=18, color=colour[name], label=label(name), alpha=0.8)
            who = rows["patient"].astype(str) + " day " + rows["day"].astype(str)
            words = [
                f"{w} {label(name)}: {a:.1f} % by {BY[one]}, {b:.1f} % by {BY[other]}"
                for w, a, b in zip(who, x, y, strict=True)
            ]
            tell(axis, x, y, texts=words)
        axis.set_xlabel(f"% by {BY[one]}")
        axis.set_ylabel(f"% by {BY[other]}")
    for axis in axes.flat[len(groups) :]:
        axis.set_visible(False)
    # beside a panel, where it is given room: a legend of the figure lies outside of the picture
    handles, labels = axes.flat[0].get_legend_handles_labels()
    axes[0, -1].legend(handles, labels, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def diversity(table: pd.DataFrame) -> Any:
    """Inverse Simpson index over time, patients as lines, products and donors as marks at the left."""
    plt = pyplot()
    figure, axis = plt.subplots(figsize=(7.2, 3.4))
    colour = colours(sorted(table["arm"].unique()))
    first = [t for t in ("donor", "product") if (table["tissue_or_product"] == t).any()]
    order_of = {t: i for i, t in enumerate(first)}
    blood_days = sorted(table.loc[table["tissue_or_product"] == "blood", "day"].unique())
    place = {d: i + len(first) for i, d in enumerate(blood_days)}
    table = table.assign(
        x=[order_of.get(t, place.get(d, 0)) for t, d in zip(table["tissue_or_product"], table["day"], strict=True)]
    )
    for arm, rows in table.groupby("arm"):
        for patient, mine in rows.groupby("patient"):
            mine = mine.sort_values("x")
            tell(
                axis, mine["x"], mine["inverse_simpson"], texts=[f"{patient}: {v:.2f}" for v in mine["inverse_simpson"]]
            )
            dot = "." if mine["x"].nunique() == 1 else None  # a line through one point is not seen
            axis.plot(mine["x"], mine["inverse_simpson"], color=colour[arm], linewidth=0.7, alpha=0.5, marker=dot)
        median = rows.groupby("x")["inverse_simpson"].median()
        axis.plot(median.index, median, color=colour[arm], linewidth=2.2, marker="o", label=arm)
    axis.set_xticks(range(len(blood_days) + len(first)), [*first, *[f"day {d}" for d in blood_days]])
    axis.set_ylabel("inverse Simpson index")
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def planted_and_found(cases: pd.DataFrame) -> Any:
    """Found against planted values, one panel per measure and modality.

    Parameters
    ----------
    cases
        Columns measure, modality, truth, found.
    """
    plt = pyplot()
    groups = list(cases.groupby(["measure", "modality"], sort=True))
    columns = min(4, len(groups))
    rows = -(-len(groups) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.0 * columns, 3.0 * rows), squeeze=False)
    for axis, ((measure, modality), mine) in zip(axes.flat, groups, strict=False):
        low, high = float(mine[["truth", "found"]].min().min()), float(mine[["truth", "found"]].max().max())
        axis.plot([low, high], [low, high], color="#999999", linewidth=0.8, linestyle=":")
        axis.scatter(mine["truth"], mine["found"], s=9, color="#6a1fa8", alpha=0.6, linewidths=0)
        ends = zip(mine["truth"], mine["found"], strict=True)
        words = [f"planted {plain(float(a))}, found {plain(float(b))}" for a, b in ends]
        tell(axis, mine["truth"], mine["found"], texts=words)
        if "fold" in str(measure).lower() and low > 0:
            axis.set_xscale("log")
            axis.set_yscale("log")
            plain_log(axis)
            plain_log(axis, "x")
        axis.set_title(f"{measure}\n({MODALITY_WORDS.get(str(modality), modality)})", fontsize=8)
        axis.set_xlabel("planted")
    for axis in axes.flat[len(groups) :]:
        axis.set_visible(False)
    for row in axes:
        row[0].set_ylabel("found")
    return figure
