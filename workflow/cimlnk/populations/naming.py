"""Names for clusters, each from its own cells and the thresholds alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr

from cimlnk.common.vocabulary import UNASSIGNED

from .definitions import ROOT, Definition, Definitions

LOW_BELOW = 1.0  # `low` ends and `clear` begins this far above the threshold (arcsinh units: a 2.7-fold signal)
LEAST_SD = 0.25  # doubt of any threshold, arcsinh units
TIE = 1e-3  # scores no further apart than rounding and the doubt of no marker make them
UNMEASURED = 0.85  # confidence that is left for every forbidden marker that was not measured
SUPPORT = 0.3  # share of the score that the further evidence decides


class Distances(NamedTuple):
    """What names are given by: clusters × features, NaN where a feature was not measured or has no threshold.

    Attributes
    ----------
    threshold
        Median over the cluster's cells of value minus threshold, analysis scale; of a group, of the highest member.
    bright, raised
        The same from where bright and raised begin, for the features that have it.
    sd
        Uncertainty of the distance (same units), clusters × features.
    missing
        Feature -> why there is no threshold; for reasons.
    """

    threshold: pd.DataFrame
    bright: pd.DataFrame
    raised: pd.DataFrame
    sd: pd.DataFrame
    missing: Mapping[str, str]


class Judged(NamedTuple):
    """One definition for one cluster: is it met, how surely, does the rest agree, and what stands against it."""

    met: bool
    evidence: float
    support: float
    against: list[str]
    unmeasured: list[str]

    @property
    def score(self) -> float:
        return self.evidence * (1 - SUPPORT + SUPPORT * self.support)


def evidence_for(state: str, feature: str, cluster: int, *, d: Distances) -> float | None:
    """Probability that a cluster is in a state, 0.5 at its border; None if it was not measured."""

    def read(table: pd.DataFrame) -> float:
        return float(table.at[cluster, feature]) if feature in table.columns else np.nan

    above = read(d.threshold)
    sd = np.fmax(read(d.sd), LEAST_SD)
    if not np.isfinite(above):
        return None
    if state == "positive":
        return float(ndtr(above / sd))
    if state in ("negative", "absent"):
        return float(ndtr(-above / sd))
    if state == "clear":
        return float(ndtr((above - LOW_BELOW) / sd))
    if state == "low":
        return float(ndtr((LOW_BELOW - above) / sd))
    border = read(d.bright if state in ("bright", "dim") else d.raised)
    if not np.isfinite(border):
        return None
    if state == "dim":
        return float(min(ndtr(above / sd), ndtr(-border / sd)))
    return float(ndtr(border / sd))


def judge(definition: Definition, definitions: Definitions, cluster: int, *, d: Distances) -> Judged:
    """A definition for one cluster: the best of its alternatives, together with the best of its parents."""
    least = 0.5 if ROOT in definition.parents else definitions.refine_from
    own = [_alternative(r, cluster, d, least=least) for r in definition.requires]
    best = max(own, key=lambda j: (j.met, -len(j.against), j.evidence))
    if ROOT not in definition.parents:
        above = [judge(definitions.get(p), definitions, cluster, d=d) for p in definition.parents]
        parent = max(above, key=lambda j: (j.met, -len(j.against), j.evidence))
        best = Judged(
            best.met and parent.met,
            min(best.evidence, parent.evidence),
            0.0,
            [*best.against, *(a for a in parent.against if a not in best.against)],
            list(dict.fromkeys([*best.unmeasured, *parent.unmeasured])),
        )
    return best._replace(support=_support(definition, cluster, d))


def _alternative(requires: Mapping[str, str], cluster: int, d: Distances, *, least: float) -> Judged:
    evidence, against, unmeasured = 1.0, [], []
    met = True
    for feature, state in requires.items():
        found = evidence_for(state, feature, cluster, d=d)
        if found is None:
            unmeasured.append(feature)
            if state in ("negative", "low"):
                evidence *= UNMEASURED  # nothing measured speaks against it
            else:
                met, evidence = False, 0.0
                against.append(f"needs {feature}, {d.missing.get(feature, 'which was not measured')}")
            continue
        if found < least:
            met = False
            against.append(f"{feature} is not {state} ({_signed(d.threshold.at[cluster, feature])} from its threshold)")
        evidence = min(evidence, found)
    return Judged(met, evidence, 0.0, against, unmeasured)


def _support(definition: Definition, cluster: int, d: Distances) -> float:
    """Weighted share of the further evidence that agrees, 1 where nothing further was measured."""
    total = agreed = 0.0
    for state, features in (("positive", definition.positive), ("negative", definition.negative)):
        for feature, weight in features.items():
            found = evidence_for(state, feature, cluster, d=d)
            if found is not None:
                total += weight
                agreed += weight * found
    return agreed / total if total else 1.0


def name_clusters(distances: Distances, definitions: Definitions) -> pd.DataFrame:
    """Give each cluster the most specific name whose requirements its cells meet.

    Of several names that are met, one that refines another goes before it; between names that do not refine each
    other the score decides (evidence of the requirements, and how far the further markers agree). Names whose scores
    are equal but for rounding are not chosen between: the cluster gets the most specific name that both refine.

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
        `reason` says what an unassigned cluster fails, or which markers would have told a cluster with a general
        name further.
    """
    rows = []
    for cluster in distances.threshold.index:
        judged = {p.name: judge(p, definitions, cluster, d=distances) for p in definitions.populations}
        met = [name for name, j in judged.items() if j.met]
        refined = set().union(*(definitions.ancestors(name) for name in met)) if met else set()
        ranked = sorted((n for n in met if n not in refined), key=lambda n: -judged[n].score)
        if not ranked:
            rows.append(_unassigned(judged))
            continue
        best, second = ranked[0], ranked[1] if len(ranked) > 1 else None
        top, other = judged[best].score, judged[second].score if second else 0.0
        shared = _shared(best, second, definitions) if second and top - other < TIE else None
        if shared is not None and judged[shared].met:
            rows.append(
                {
                    "population": shared,
                    "score": judged[shared].score,
                    "runner_up": best,
                    "runner_up_score": top,
                    "margin": top - other,
                    "reason": f"{best} and {second} fit equally well: the name they share",
                }
            )
            continue
        rows.append(
            {
                "population": best,
                "score": top,
                "runner_up": second,
                "runner_up_score": other if second else np.nan,
                "margin": top - other,
                "reason": _further(best, judged, definitions),
            }
        )
    return pd.DataFrame(rows, index=distances.threshold.index)


def _shared(one: str, other: str, definitions: Definitions) -> str | None:
    """The most specific name that both refine, None without one."""
    both = definitions.ancestors(one) & definitions.ancestors(other)
    finest = [name for name in both if not any(name in definitions.ancestors(b) for b in both)]
    return min(finest, default=None)


def _unassigned(judged: Mapping[str, Judged]) -> dict[str, object]:
    near = sorted(judged.items(), key=lambda item: (len(item[1].against), -item[1].evidence))[:2]
    told = "; ".join(f"no {name}: {', '.join(j.against)}" for name, j in near)
    return {
        "population": UNASSIGNED,
        "score": np.nan,
        "runner_up": near[0][0] if near else None,
        "runner_up_score": np.nan,
        "margin": np.nan,
        "reason": told or "there are no definitions",
    }


def _further(best: str, judged: Mapping[str, Judged], definitions: Definitions) -> str | None:
    """Which unmeasured markers keep a more specific name away, or lower the confidence of this one."""
    finer = {}
    for d in definitions.populations:
        if (
            best in d.parents
            and judged[d.name].unmeasured
            and all(a.startswith("needs") for a in judged[d.name].against)
        ):
            finer[d.name] = judged[d.name].unmeasured
    parts = [f"{name} would need {' and '.join(features)}" for name, features in finer.items()]
    if judged[best].unmeasured:
        parts.insert(0, f"{' and '.join(judged[best].unmeasured)} would confirm it")
    return "; ".join(parts) or None


def _signed(value: float) -> str:
    return f"{value:+.2f}"
