"""How far a cluster's cells lie from the thresholds: what names are given by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .definitions import Brightness, Definitions
from .evidence import Distances
from .positivity import cuts_of

LEAST_MATURE = 30  # mature cells of a batch that show how bright ordinary cells are
MATURE_SHARE = 0.03  # and their least share: a hundredth of negative cells lies above a threshold too
LOWER_THIRD = (
    1 / 3
)  # of the CD16+ cells, where CD57 tells no mature ones: the brighter ones may be activated or memory-like
EPSILON = 0.05  # molecules per 10,000 that keep a ratio finite
LEAST_TOLD = 0.5  # share of a cluster's cells whose batch has a threshold, of those whose file has the marker
LEAST_MEASURED = 20  # cells of a cluster that speak for those whose files lack a marker

Floats = NDArray[np.floating]


def bright_levels(
    values: Floats,
    features: Sequence[str],
    batch: NDArray[Any],
    *,
    thresholds: pd.DataFrame,
    feature: str,
    spec: Brightness,
) -> dict[str, tuple[float, float]]:
    """Batch -> the levels from which `feature` is bright and raised, NaN where its threshold is unknown.

    The yardstick is the median of mature cells, positive for the first of `spec.mature` that has a threshold and at
    least 30 such cells in the batch; of a marker further down the list, whose cells are not all mature, the lower
    third.
    """
    column = list(features).index(feature)
    levels = {}
    for name in pd.unique(batch):
        rows = batch == name
        cut = float(cuts_of(thresholds, [feature], str(name))[0])
        # without cells known to be mature the brightness over the threshold bounds what is taken for ordinary
        most = (cut + spec.above_threshold, cut + spec.above_threshold - (spec.by - spec.raised))
        bright, raised = most
        for place, other in enumerate(spec.mature):
            if other not in features:
                continue
            above = float(cuts_of(thresholds, [other], str(name))[0])
            if not np.isfinite(above):
                continue
            judge = values[rows][:, list(features).index(other)]
            mature = judge > above  # false where the file lacks it
            if mature.sum() < max(LEAST_MATURE, MATURE_SHARE * np.isfinite(judge).sum()):
                continue
            ordinary = float(np.quantile(values[rows][mature, column], 0.5 if place == 0 else LOWER_THIRD))
            # cells that do not carry the marker at all are no yardstick
            if ordinary > cut:
                bright, raised = ordinary + spec.by, ordinary + spec.raised
                if place > 0:
                    bright, raised = min(bright, most[0]), min(raised, most[1])
                break
        levels[str(name)] = (bright, raised) if np.isfinite(cut) else (np.nan, np.nan)
    return levels


def batch_borders(
    values: Floats,
    features: Sequence[str],
    batches: tuple[NDArray[Any], NDArray[np.integer]],
    *,
    thresholds: pd.DataFrame,
    definitions: Definitions,
) -> dict[str, Floats]:
    """``threshold`` (batches × features), and ``bright`` and ``raised`` (batches × the features that can be bright).

    `batches` are their names, and the place of every cell's batch among them.
    """
    names, code = batches
    asked = [f for f in definitions.bright if f in features]
    batch = np.asarray(names)[code]
    levels = {
        f: bright_levels(values, features, batch, thresholds=thresholds, feature=f, spec=definitions.bright[f])
        for f in asked
    }
    both = np.array([[levels[f][str(b)] for f in asked] for b in names], np.float32).reshape(len(names), len(asked), 2)
    cuts = np.array([cuts_of(thresholds, features, str(b)) for b in names])
    return {"threshold": cuts, "bright": both[:, :, 0], "raised": both[:, :, 1]}


def cluster_distances(
    values: Floats,
    features: Sequence[str],
    cluster: NDArray[np.integer],
    *,
    batch: NDArray[Any],
    thresholds: pd.DataFrame,
    definitions: Definitions,
) -> Distances:
    """Medians of every cluster's distances from the thresholds of its cells' batches.

    Parameters
    ----------
    values
        Cells × features, analysis scale.
    cluster, batch
        Of every cell.
    thresholds
        THRESHOLDS.
    """
    names, code = np.unique(np.asarray(batch).astype(str), return_inverse=True)
    found = batch_borders(values, features, (names, code), thresholds=thresholds, definitions=definitions)
    cuts = found["threshold"]
    spread = (thresholds["high"] - thresholds["low"]) / 2
    sd = spread.groupby(thresholds["feature"]).mean().to_dict()
    asked = [f for f in definitions.bright if f in features]
    borders = {f: np.stack([found["bright"][:, k], found["raised"][:, k]], axis=1) for k, f in enumerate(asked)}
    groups = {g: [list(features).index(m) for m in ms if m in features] for g, ms in definitions.groups.items()}
    groups = {g: members for g, members in groups.items() if members}
    rows, bright, raised = {}, {}, {}
    for label in np.unique(cluster):
        members = np.flatnonzero(cluster == label)
        own_values = values[members]
        distance = own_values - cuts[code[members]]
        row = dict(zip(features, _medians(distance, np.isfinite(own_values)), strict=True))
        for group, columns in groups.items():
            measured = np.asarray(np.isfinite(own_values[:, columns]).any(axis=1))[:, None]
            row[group] = float(_medians(_highest(distance[:, columns])[:, None], measured)[0])
        rows[int(label)] = row
        # brightness is asked of identity markers, which every file has
        own = {f: values[members, list(features).index(f)][:, None] - borders[f][code[members]] for f in asked}
        bright[int(label)] = {f: float(_medians(own[f][:, :1])[0]) for f in asked}
        raised[int(label)] = {f: float(_medians(own[f][:, 1:])[0]) for f in asked}
    for group, columns in groups.items():
        sd[group] = float(np.nanmax([sd.get(features[c], np.nan) for c in columns] + [0.0]))
    return Distances(
        pd.DataFrame.from_dict(rows, orient="index"),
        pd.DataFrame.from_dict(bright, orient="index"),
        pd.DataFrame.from_dict(raised, orient="index"),
        pd.DataFrame(sd, index=list(rows)),
        without_threshold(thresholds),
    )


def score_distances(
    values: Floats, genes: Sequence[str], cluster: NDArray[np.integer], *, definitions: Definitions
) -> Distances:
    """Distances of the scores of gene signatures, log2, from molecules of the cluster's own cells.

    Ratios within a cluster do not follow sequencing depth, and sums per 10,000 molecules barely do. The uncertainty
    adds the counting error (at least one molecule behind every non-zero value) to the score's own.

    Parameters
    ----------
    values
        Cells × genes, log1p of molecules per 10,000.
    genes
        Names of the columns.
    cluster
        Of every cell.
    definitions
        Their scores; one without a single measured gene on a side that it has is NaN.
    """
    place = {g: i for i, g in enumerate(genes)}
    labels = np.unique(cluster)
    names = list(definitions.scores)
    distance = pd.DataFrame(np.nan, index=labels, columns=names)
    sd = pd.DataFrame(np.nan, index=labels, columns=names)
    missing: dict[str, str] = {}
    for name, score in definitions.scores.items():
        sides = [[place[g] for g in side if g in place] for side in (score.over, score.under)]
        if not sides[0] or (score.under and not sides[1]):
            missing[name] = f"for which none of {', '.join(score.over if not sides[0] else score.under)} was measured"
    for label in labels:
        members = values[cluster == label]
        level, seen = np.expm1(members).mean(axis=0), (members > 0).sum(axis=0)
        for name in set(names) - set(missing):
            score = definitions.scores[name]
            over, under = ([place[g] for g in side if g in place] for side in (score.over, score.under))
            value = np.log2(level[over].sum() + EPSILON)
            value -= np.log2(level[under].sum() + EPSILON) + score.above if under else np.log2(score.above)
            noise = 1 / max(seen[over].sum(), 1) + (1 / max(seen[under].sum(), 1) if under else 0)
            distance.at[label, name] = value
            sd.at[label, name] = float(np.hypot(score.sd, np.sqrt(noise) / np.log(2)))
    nothing = pd.DataFrame(index=labels)
    return Distances(distance, nothing, nothing, sd, missing)


def without_threshold(thresholds: pd.DataFrame) -> Mapping[str, str]:
    """Why the measured features without a threshold have none, in words that fit behind their name."""
    none = thresholds[thresholds["threshold"].isna()].drop_duplicates("feature")
    return {f: f"for which there is no threshold ({r})" for f, r in zip(none["feature"], none["reason"], strict=True)}


def _highest(distance: Floats) -> Floats:
    """Highest of a group's members per cell; NaN where none is known."""
    known = np.isfinite(distance).any(axis=1)
    out = np.full(len(distance), np.nan, dtype=np.float32)
    out[known] = np.nanmax(distance[known], axis=1)
    return out


def _medians(distance: Floats, measured: NDArray[np.bool_] | None = None) -> Floats:
    """Median per column over the cells that have one; NaN where fewer than half do.

    Where files lack a marker (`measured` is false) the other cells of the cluster speak for theirs, if they are enough.
    """
    known = np.isfinite(distance)
    told = known.sum(axis=0)
    asked = (np.ones_like(known) if measured is None else measured).sum(axis=0)
    enough = (asked >= LEAST_MEASURED) | (asked == len(distance))
    out = np.full(distance.shape[1], np.nan)
    for j in np.flatnonzero(enough & (told >= LEAST_TOLD * asked) & (told > 0)):
        out[j] = np.median(distance[known[:, j], j])
    return out
