"""Marker state, neighbourhoods, identity over time and repertoires."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cimlnk.report.style import colours, label, order, plain, pyplot, tell

PALE = 0.3  # strength of the colour of an effect that is not shown
MOST_TOLD = 400  # points of a volcano that say their values, the smallest p first


def effect_reach(tests: pd.DataFrame) -> float:
    """Where the colours of effect maps end: one scale for all contrasts of a kind of data, so that maps compare."""
    seen = tests["effect"].dropna().abs()
    return (float(np.quantile(seen, 0.995)) if len(seen) else 1.0) or 1.0


def effect_map(tests: pd.DataFrame, unit: str, *, most: int = 45, reach: float | None = None) -> Any:
    """Effects of one contrast, populations as rows and features as columns; pale, without a dot, where the FDR is 0.1
    or more: noise has effects too, and in full colours looks like something.

    Parameters
    ----------
    tests
        TESTS rows of one contrast, one per population and feature.
    most
        Features shown: those with the largest effects.
    reach
        Effect at which the colours end; by default that of these rows (:func:`effect_reach`).
    """
    plt = pyplot()
    rows = tests.dropna(subset=["effect"])
    wide = rows.pivot_table(index="population", columns="feature", values="effect", aggfunc="first")
    keep = wide.abs().max().sort_values(ascending=False, kind="stable").index[:most]
    names = [p for p in ["NK", *order(p for p in wide.index if p != "NK")] if p in wide.index]
    wide = wide.loc[names, keep]
    columns = wide.mean().sort_values(ascending=False, kind="stable").index
    wide = wide[columns]
    fdr = rows.pivot_table(index="population", columns="feature", values="fdr", aggfunc="first")
    fdr = fdr.reindex(index=wide.index, columns=columns)
    reach = effect_reach(rows) if reach is None else reach
    figure, axis = plt.subplots(figsize=(0.24 * len(columns) + 3.2, 0.32 * len(wide) + 1.9))
    strength = np.where(fdr.to_numpy(dtype=float) < 0.1, 1.0, PALE)
    drawn = axis.imshow(wide, aspect="auto", cmap="RdBu_r", vmin=-reach, vmax=reach, alpha=strength)
    y, x = np.where(fdr.to_numpy() < 0.1)
    axis.scatter(x, y, s=9, color="black")
    axis.set_xticks(range(len(columns)), columns, rotation=90, fontsize=7)
    axis.set_yticks(range(len(wide)), [label(p) for p in wide.index], fontsize=8)
    y, x = np.where(np.isfinite(wide.to_numpy(dtype=float)))
    cells = [
        (wide.index[a], columns[b], float(wide.iat[a, b]), float(fdr.iat[a, b])) for a, b in zip(y, x, strict=True)
    ]
    tell(axis, x, y, texts=[f"{label(p)}, {f}: {plain(e)} (FDR {plain(q)})" for p, f, e, q in cells])
    axis.grid(False)
    scale = plt.cm.ScalarMappable(drawn.norm, drawn.cmap)  # without the map's paleness
    figure.colorbar(scale, ax=axis, shrink=0.75, label=unit, extend="both")
    return figure


def volcano(tests: pd.DataFrame, unit: str, named: int = 14) -> Any:
    """Effects against -log10 p, coloured by population; the smallest p are named, no two names over each other.

    Parameters
    ----------
    tests
        TESTS rows of one method, smallest p first.
    named
        Most rows that are named.
    """
    plt = pyplot()
    rows = tests.dropna(subset=["effect", "p"])
    figure, axis = plt.subplots(figsize=(7.6, 4.4))
    height = -np.log10(rows["p"].clip(lower=1e-30))
    names = ["NK", *order(set(rows["population"]) - {"NK"})]
    colour = colours(names)
    sure = (rows["fdr"] < 0.1).to_numpy()
    for name in names:
        mine = (rows["population"] == name).to_numpy()
        for keep, alpha in ((mine & ~sure, 0.15), (mine & sure, 0.75)):
            what = label(name) if alpha > 0.5 else None
            part, place = rows["effect"][keep], height[keep]
            axis.scatter(part, place, s=7, color=colour[name], alpha=alpha, linewidths=0, rasterized=True, label=what)
    axis.axvline(0, color="#999999", linewidth=0.8)
    axis.set_xlabel(f"change ({unit})")
    axis.set_ylabel("−log10 of p (higher: less by chance)")
    taken: list[tuple[float, float]] = []
    wide = float(rows["effect"].abs().max() or 1.0) if len(rows) else 1.0
    tall = float(height.max() or 1.0) if len(rows) else 1.0
    for row, y in zip(rows.itertuples(), height, strict=True):
        if len(taken) >= named or row.fdr >= 0.1:
            break
        if any(abs(row.effect - a) < 0.16 * wide and abs(y - b) < 0.045 * tall for a, b in taken):
            continue
        taken.append((float(row.effect), float(y)))
        axis.annotate(str(row.feature), (row.effect, y), fontsize=6.5, xytext=(3, 1), textcoords="offset points")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="FDR below 0.1", markerscale=1.6)
    first = rows.head(MOST_TOLD)
    words = [
        f"{r.feature} in {label(r.population)}, {r.contrast}: {plain(float(r.effect))}, p {plain(float(r.p))}, FDR "
        f"{plain(float(r.fdr))}"
        for r in first.itertuples()
    ]
    tell(axis, first["effect"], height.head(MOST_TOLD), texts=words)
    return figure


def neighbourhood_map(cells: pd.DataFrame, tests: pd.DataFrame, contrasts: list[str]) -> Any:
    """Neighbourhoods on the map, coloured by the log2 change of their share; grey cells behind, faint if unsure."""
    plt = pyplot()
    columns = min(3, max(1, len(contrasts)))
    rows = -(-len(contrasts) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.1 * columns + 0.6, 3.7 * rows), squeeze=False)
    reach = float(np.nanquantile(tests["effect"].abs(), 0.95)) or 1.0
    drawn = None
    for axis, contrast in zip(axes.flat, contrasts, strict=False):
        mine = tests[tests["contrast"] == contrast].dropna(subset=["effect"])
        axis.scatter(cells["umap1"], cells["umap2"], s=1, color="#E2E2E2", linewidths=0, rasterized=True)
        for sure, alpha in ((False, 0.25), (True, 1.0)):
            part = mine[(mine["fdr"] < 0.1) == sure]
            drawn = axis.scatter(
                part["umap1"], part["umap2"], c=part["effect"], s=16, cmap="RdBu_r", vmin=-reach, vmax=reach,
                alpha=alpha, linewidths=0.3, edgecolors="#444444",
            )  # fmt: skip
        axis.set_title(contrast, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
    for axis in axes.flat[len(contrasts) :]:
        axis.set_visible(False)
    if drawn is not None:
        figure.colorbar(drawn, ax=axes, shrink=0.6, label="log2 change of the share")
    return figure


def alluvial(tracks: pd.DataFrame, links: pd.DataFrame) -> Any:
    """Clusters of every time point as blocks, links as bands; darker bands are better supported.

    Parameters
    ----------
    tracks
        TRACKS rows of one modality and arm.
    links
        IDENTITY rows of the same, only linked ones are drawn.
    """
    plt = pyplot()
    times = tracks.drop_duplicates("timepoint").sort_values("day")["timepoint"].tolist()
    colour = colours(order(tracks["population"]))
    rank = {p: i for i, p in enumerate(order(tracks["population"]))}
    place: dict[tuple[str, str], tuple[float, float]] = {}
    figure, axis = plt.subplots(figsize=(1.55 * len(times) + 2.0, 5.0))
    for x, time in enumerate(times):
        mine = tracks[tracks["timepoint"] == time].copy()
        mine["rank"] = mine["population"].map(rank)
        mine = mine.sort_values(["rank", "cluster"], kind="stable")
        height = mine["fraction"] / mine["fraction"].sum()
        bottom = 0.0
        for (_, row), h in zip(mine.iterrows(), height, strict=True):
            axis.bar(x, h, bottom=bottom, width=0.16, color=colour[row["population"]], edgecolor="white", linewidth=0.6)
            place[(time, str(row["cluster"]))] = (bottom, h)
            tell(axis, [x], [bottom + h / 2], texts=[f"{time}: {label(row['population'])} {100 * h:.1f} %"])
            bottom += h
    steps = np.linspace(0, 1, 24)
    smooth = steps**2 * (3 - 2 * steps)
    used_from: dict[tuple[str, str], float] = {}
    used_to: dict[tuple[str, str], float] = {}
    shown = links[links["linked"]].sort_values(["from_timepoint", "from_cluster", "to_cluster"], kind="stable")
    for row in shown.itertuples():
        a, b = (row.from_timepoint, str(row.from_cluster)), (row.to_timepoint, str(row.to_cluster))
        if a not in place or b not in place:
            continue
        x0, x1 = times.index(a[0]) + 0.08, times.index(b[0]) - 0.08
        h0 = place[a][1] * row.descendant_share
        h1 = place[b][1] * row.ancestor_share
        y0 = place[a][0] + used_from.get(a, 0.0)
        y1 = place[b][0] + used_to.get(b, 0.0)
        used_from[a] = used_from.get(a, 0.0) + h0
        used_to[b] = used_to.get(b, 0.0) + h1
        x = x0 + (x1 - x0) * steps
        low = y0 + (y1 - y0) * smooth
        high = y0 + h0 + (y1 + h1 - y0 - h0) * smooth
        axis.fill_between(
            x, low, high, color=colour[row.from_population], alpha=0.12 + 0.45 * float(row.support), linewidth=0
        )
    axis.set_xticks(range(len(times)), times)
    axis.set_ylabel("share of NK cells")
    axis.set_ylim(0, 1)
    axis.grid(False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour[p]) for p in colour]
    axis.legend(handles, [label(p) for p in colour], loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def distance_map(distances: pd.DataFrame, samples: pd.DataFrame) -> Any:
    """Distances between the repertoires of all samples, samples sorted by patient and day."""
    plt = pyplot()
    known = set(distances["sample"]) | set(distances["other"])
    names = [s for s in samples.sort_values(["arm", "patient", "day"])["sample"] if s in known]
    both = pd.concat([distances, distances.rename(columns={"sample": "other", "other": "sample"})])
    wide = both.pivot_table(index="sample", columns="other", values="distance", aggfunc="first")
    wide = wide.reindex(index=names, columns=names)
    values = wide.to_numpy(dtype=float, copy=True)
    np.fill_diagonal(values, 0.0)
    patient = samples.set_index("sample")["patient"].reindex(names).tolist()
    side = float(np.clip(0.1 * len(names) + 2.4, 4.2, 9.5))
    figure, axis = plt.subplots(figsize=(side + 1.0, side))
    drawn = axis.imshow(values, cmap="viridis", vmin=0)
    starts = [i for i in range(len(names)) if i == 0 or patient[i] != patient[i - 1]]
    ends = [*starts[1:], len(names)]
    for start in starts[1:]:
        axis.axhline(start - 0.5, color="white", linewidth=0.8)
        axis.axvline(start - 0.5, color="white", linewidth=0.8)
    centres = [(a + b - 1) / 2 for a, b in zip(starts, ends, strict=True)]
    for ticks in (axis.set_xticks, axis.set_yticks):
        ticks(centres, [patient[s] for s in starts], fontsize=8)
    axis.grid(False)
    figure.colorbar(drawn, ax=axis, shrink=0.7, label="distance")
    return figure
