"""Names for clusters and for cells, each from its own distances to the thresholds alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.vocabulary import UNASSIGNED

from .definitions import ROOT, Definitions
from .evidence import Distances, Evidence
from .judging import Judged, Named, choose, judge, withheld
from .reasons import SHARED, Reasons

ROWS = 200_000  # cells that are named at once

Floats = NDArray[np.floating]


def name_clusters(distances: Distances, definitions: Definitions) -> pd.DataFrame:
    """Give each cluster the most specific name whose requirements its cells meet.

    Of several names that are met, one that refines another goes before it; between names that do not refine each
    other the likelihood decides: every requirement and further marker counts by its weight and by how probable its
    state is, and unmeasured ones count nothing. Names that are equally likely but for rounding are not chosen
    between: the cluster gets the most specific name that both refine.

    Parameters
    ----------
    distances
        The clusters' distances from the thresholds. Adding or leaving out clusters changes no other cluster's name.
    definitions
        Named populations.

    Returns
    -------
    DataFrame
        Index as `distances.threshold`; columns population, score, runner_up, runner_up_score, margin, reason.
        `margin` is the share of the name minus that of the runner-up, where both share one likelihood; 1 without one.
        `reason` says what an unassigned cluster fails, or which markers would have told a cluster with a general
        name further.
    """
    e, judged, named = _named(distances, definitions)
    names, reasons = list(judged), Reasons(judged, definitions, e)
    rows: list[tuple[object, ...]] = []
    for i in range(e.n):
        best, second = (None if k < 0 else names[k] for k in (named.best[i], named.second[i]))
        if best is None:
            near, why = reasons.of_unassigned(i)
            rows.append((UNASSIGNED, np.nan, near, np.nan, np.nan, why))
            continue
        told = reasons.of_shared(best, second, i) if named.shared[i] else reasons.of_name(best, i)
        rows.append((best, named.score[i], second, named.second_score[i], named.margin[i], told))
    columns = ["population", "score", "runner_up", "runner_up_score", "margin", "reason"]
    return pd.DataFrame(rows, index=distances.threshold.index, columns=columns)


def without_rivals(named: pd.DataFrame, definitions: Definitions) -> pd.DataFrame:
    """The names as they are reported: no score and no margin where nothing was won.

    A general name (one that others refine and that itself refines none) that is given because none of those fits, or
    because two of them fit equally well, meets its few requirements nearly always: its score would be the highest of
    all and say the least. A margin is a lead over a runner-up, so that a name without one has none.

    Parameters
    ----------
    named
        Of :func:`name_clusters`.
    """
    refined = {parent for d in definitions.populations for parent in d.parents}
    general = {d.name for d in definitions.populations if d.parents == (ROOT,) and d.name in refined}
    alone = named["runner_up"].isna()
    tied = named["reason"].astype(object).map(lambda r: isinstance(r, str) and r.endswith(SHARED)).astype(bool)
    empty = named["population"].isin(general) & (alone | tied)
    return named.assign(score=named["score"].mask(empty), margin=named["margin"].mask(alone | empty))


def name_rows(distances: Distances, definitions: Definitions) -> tuple[NDArray[np.object_], Floats, Floats]:
    """Name, score and margin of every row of `distances` (cells): as :func:`name_clusters`, without reasons."""
    names = np.array([*(d.name for d in definitions.populations), UNASSIGNED], dtype=object)
    parts = []
    for start in range(0, max(len(distances.threshold), 1), ROWS):
        _, _, named = _named(distances.rows(slice(start, start + ROWS)), definitions)
        parts.append((names[named.best], named.score, named.margin))
    population, score, margin = (np.concatenate(p) for p in zip(*parts, strict=True))
    return population, score, margin


def _named(distances: Distances, definitions: Definitions) -> tuple[Evidence, dict[str, Judged], Named]:
    e = Evidence(distances)
    known: dict[str, Judged] = {}
    judged = {d.name: judge(d, definitions, e, known=known) for d in definitions.populations}
    return e, judged, choose(judged, definitions, without=withheld(definitions, e))
