"""Naming clusters by phenotype: a name follows from the profile, never from a cluster's number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import UNASSIGNED

from .definitions import Definition, Definitions


def levels(profile: pd.DataFrame, n_cells: pd.Series, min_range: float, min_share: float = 0.002) -> pd.DataFrame:
    """Put each feature on a scale from 0 (lowest cluster) to 1 (highest cluster).

    A feature whose clusters differ by less than `min_range` says nothing and becomes NaN; so a data set without,
    say, activated cells does not have its noise stretched into an activated cluster.

    Parameters
    ----------
    profile
        Clusters × features, medians (proteins, arcsinh units) or means (genes, log1p units).
    n_cells
        Cells per cluster; clusters below `min_share` of all cells do not set the ends of the scale.
    min_range
        Least difference between the lowest and the highest cluster, in the units of `profile`.
    """
    large = n_cells.reindex(profile.index) >= min_share * n_cells.sum()
    ends = profile.loc[large] if large.any() else profile
    low, high = ends.min(), ends.max()
    spread = (high - low).where(high - low >= min_range)
    return ((profile - low) / spread).clip(0.0, 1.0)


def _evidence(level: pd.DataFrame, definitions: Definitions, feature: str) -> pd.Series | None:
    """Level of a feature, or of the highest member of a group; None if no member was measured."""
    members = [f for f in definitions.groups.get(feature, (feature,)) if f in level.columns]
    if not members:
        return None
    return level[members].max(axis=1, skipna=True)


def score(level: pd.DataFrame, definitions: Definitions, definition: Definition) -> tuple[pd.Series, pd.Series]:
    """Agreement of every cluster with one definition.

    Returns
    -------
    score
        Weighted mean of the evidence (level for positive, 1 − level for negative features), over the features that
        were measured and informative; NaN where less than half of the definition's weight was.
    admitted
        Whether every required feature reaches one half. A required feature that was not measured or that does not
        differ between clusters admits nobody.
    """
    total = pd.Series(0.0, index=level.index)
    known = pd.Series(0.0, index=level.index)
    weight_all = 0.0
    for sign, features in (("positive", definition.positive), ("negative", definition.negative)):
        for feature, weight in features.items():
            weight_all += weight
            evidence = _evidence(level, definitions, feature)
            if evidence is None:
                continue
            evidence = evidence if sign == "positive" else 1.0 - evidence
            total += weight * evidence.fillna(0.0)
            known += weight * evidence.notna()
    result = (total / known.where(known > 0)).where(known >= 0.5 * weight_all)
    admitted = pd.Series(True, index=level.index)
    for feature, sign in definition.requires.items():
        evidence = _evidence(level, definitions, feature)
        if evidence is None:
            admitted &= False
            continue
        admitted &= (evidence >= 0.5) if sign == "positive" else (evidence < 0.5)
    return result, admitted


def name_clusters(
    profile: pd.DataFrame,
    n_cells: pd.Series,
    definitions: Definitions,
    *,
    min_range: float,
    min_score: float,
) -> pd.DataFrame:
    """Give each cluster the name of the definition it agrees with best.

    Definitions marked ``otherwise`` are asked only where none of the others is met with at least `min_score`.

    Parameters
    ----------
    profile
        Clusters × features on the analysis scale.
    n_cells
        Cells per cluster.
    definitions
        Named populations.
    min_range
        See :func:`levels`.
    min_score
        Least score for a name; below it a cluster is ``unassigned``, with the reason.

    Returns
    -------
    DataFrame
        Index as `profile`; columns population, score, runner_up, runner_up_score, margin, reason.
    """
    level = levels(profile, n_cells, min_range)
    scores, open_to = {}, {}
    for d in definitions.populations:
        scores[d.name], open_to[d.name] = score(level, definitions, d)
    table, admitted = pd.DataFrame(scores), pd.DataFrame(open_to)
    eligible = table.where(admitted)
    general = [d.name for d in definitions.populations if d.otherwise]
    rows = []
    for cluster in profile.index:
        ranked = _ranked(eligible.drop(columns=general).loc[cluster])
        if not len(ranked) or ranked.iloc[0] < min_score:
            others = _ranked(eligible.loc[cluster, general])
            ranked = others if len(others) and others.iloc[0] >= min_score else ranked
        best = ranked.index[0] if len(ranked) else None
        second = ranked.index[1] if len(ranked) > 1 else None
        reason = None
        if best is None:
            measured = table.loc[cluster].notna().any()
            reason = "no definition's required features are met" if measured else "too few of the features measured"
        elif ranked.iloc[0] < min_score:
            reason = f"best score {ranked.iloc[0]:.2f} ({best}) is below {min_score:g}"
        rows.append(
            {
                "population": UNASSIGNED if reason else best,
                "score": float(ranked.iloc[0]) if len(ranked) else np.nan,
                "runner_up": second,
                "runner_up_score": float(ranked.iloc[1]) if second is not None else np.nan,
                "margin": float(ranked.iloc[0] - (ranked.iloc[1] if second is not None else 0.0))
                if len(ranked)
                else np.nan,
                "reason": reason,
            }
        )
    return pd.DataFrame(rows, index=profile.index)


def _ranked(scores: pd.Series) -> pd.Series:
    return scores.dropna().sort_values(ascending=False, kind="stable")


def neighbour_agreement(indices: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Share of each cell's nearest neighbours that carry the same name.

    Parameters
    ----------
    indices
        n × k neighbour indices, self excluded.
    names
        n integer codes of the names.

    Returns
    -------
    numpy.ndarray
        n float32 in 0–1.
    """
    same = np.zeros(len(names), dtype=np.float32)
    for column in range(indices.shape[1]):
        same += names[indices[:, column]] == names
    return same / np.float32(indices.shape[1])
