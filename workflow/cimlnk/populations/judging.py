"""Which definitions clusters or cells meet, and which of those is likeliest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .definitions import ROOT, Definition, Definitions
from .evidence import Evidence, least_met

TIE = 1e-3  # log-likelihoods no further apart than rounding and the doubt of no marker make them
UNMEASURED = 0.85  # confidence that is left for every forbidden marker that was not measured
SUPPORT = 0.3  # share of the score that the further evidence decides
REQUIRED = 2.0  # weight of the requirements beside further markers, whose weights are 1 or 2
IMPROBABLE = 0.02  # no single marker makes a name less likely than this: one bad channel must not decide
ABOVE = ("positive", "clear", "bright", "raised")  # states of much of a marker
MEASURED = 0.7  # share, by weight, of the markers that have to agree (`agree`) that the panel has to have measured

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


class Judged(NamedTuple):
    """One definition for n rows (clusters or cells).

    Attributes
    ----------
    met
        Whether all that it requires holds.
    misses
        How many requirements do not, parents' included.
    evidence
        Probability of the weakest requirement.
    support
        Weighted share of the further markers that agree, 1 where nothing further was measured.
    fit
        Log-likelihood of requirements and further markers, by their weights; unmeasured ones add nothing.
    alternative, parent
        Which of `requires`, and which parent, stands best; for reasons.
    """

    met: Bools
    misses: NDArray[np.int64]
    evidence: Floats
    support: Floats
    fit: Floats
    alternative: NDArray[np.int64]
    parent: NDArray[np.int64]

    @property
    def score(self) -> Floats:
        return self.evidence * (1 - SUPPORT + SUPPORT * self.support)


class Named(NamedTuple):
    """Places in `Definitions.populations` of the name and of the runner-up (−1 for none) of n rows, and how good they
    are: ``shared`` marks rows whose name is what two equally good ones have in common."""

    best: NDArray[np.int64]
    second: NDArray[np.int64]
    score: Floats
    second_score: Floats
    margin: Floats
    shared: Bools


def log_likelihood(probability: Floats) -> Floats:
    """Log of probabilities, no lower than that of `IMPROBABLE`."""
    return np.log(np.maximum(probability, IMPROBABLE))


def judge(definition: Definition, definitions: Definitions, e: Evidence, *, known: dict[str, Judged]) -> Judged:
    """A definition for all rows: the best of its alternatives, together with the best of its parents."""
    if definition.name in known:
        return known[definition.name]
    refines = ROOT not in definition.parents
    least = definitions.refine_from if refines else 0.5
    support, measured, further = _further(definition, e)
    own = [_alternative(r, e, least=least, told=measured) for r in definition.requires]
    alternative = _best(own)
    met, misses, evidence = (np.choose(alternative, part) for part in zip(*own, strict=True))
    parent = np.zeros(e.n, np.int64)
    if refines:
        above = [judge(definitions.get(p), definitions, e, known=known) for p in definition.parents]
        parent = _best([(j.met, j.misses, j.evidence) for j in above])
        met = met & np.choose(parent, [j.met for j in above])
        misses = misses + np.choose(parent, [j.misses for j in above])
        evidence = np.minimum(evidence, np.choose(parent, [j.evidence for j in above]))
    if definition.agree is not None:
        fails = (measured < MEASURED) | (support < definition.agree)
        if e.around is not None:  # the noise of a cell itself makes several markers agree now and then
            fails |= _further(definition, e.around)[0] < definition.agree
        met, misses = met & ~fails, misses + fails
    fit = REQUIRED * log_likelihood(evidence) + further
    found = Judged(met, misses, evidence, support, fit, alternative, parent)
    known[definition.name] = found
    return found


def _best(options: list[tuple[Bools, NDArray[np.int64], Floats]]) -> NDArray[np.int64]:
    """Of every row the option that is met, else misses least, then has most evidence."""
    best = np.zeros(len(options[0][0]), np.int64)
    met, misses, evidence = options[0]
    for i, (m, n, v) in enumerate(options[1:], start=1):
        better = (m & ~met) | ((m == met) & ((n < misses) | ((n == misses) & (v > evidence))))
        best[better] = i
        met, misses, evidence = (np.where(better, a, b) for a, b in ((m, met), (n, misses), (v, evidence)))
    return best


def _alternative(
    requires: Mapping[str, str], e: Evidence, *, least: float, told: Floats
) -> tuple[Bools, NDArray[np.int64], Floats]:
    evidence, misses = np.ones(e.n), np.zeros(e.n, np.int64)
    doubt = np.ones(e.n)
    for feature, state in requires.items():
        found = e.of(state, feature)
        measured = np.isfinite(found)
        if state in ("negative", "low"):  # nothing measured speaks against it
            doubt = np.where(measured, doubt, doubt * UNMEASURED)
            found = np.where(measured, found, 1.0)
        else:
            found = np.where(measured, found, 0.0)
        misses += found < least_met(state, least, told)
        evidence = np.minimum(evidence, found)
    return misses == 0, misses, evidence * doubt


def _further(definition: Definition, e: Evidence) -> tuple[Floats, Floats, Floats]:
    """Weighted share that agrees of the further markers, share of their weight that was measured, log-likelihood."""
    total, agreed, fit, whole = np.zeros(e.n), np.zeros(e.n), np.zeros(e.n), 0.0
    for state, feature, weight in definition.further():
        found = e.of(state, feature)
        measured = np.isfinite(found)
        found = np.where(measured, found, 1.0)
        whole += weight
        total += weight * measured
        agreed += weight * measured * found
        fit += weight * log_likelihood(found)
    support = np.divide(agreed, total, out=np.ones(e.n), where=total > 0)
    return support, total / whole if whole else np.ones(e.n), fit


def withheld(definitions: Definitions, e: Evidence) -> dict[str, Bools]:
    """Rows that a sibling of a name may claim as well: one that refines the same name, needs a marker that was not
    measured, and is likelier by the markers of which one name wants much and the other little.

    With that marker the sibling could be the name, so without it the parent is. Only what both names require is
    compared: what else a panel has measured must not tip it.
    """
    found: dict[str, Bools] = {}
    for d in definitions.populations:
        rival = np.zeros(e.n, bool)
        for s in definitions.populations:
            if s.name == d.name or s.parents != d.parents or ROOT in d.parents:
                continue
            for theirs in s.requires:
                unknown = np.any([np.isnan(e.of(state, f)) for f, state in theirs.items()], axis=0)
                for ours in d.requires if unknown.any() else ():
                    both = [f for f in theirs if f in ours and (theirs[f] in ABOVE) != (ours[f] in ABOVE)]
                    if both:
                        here = np.min([e.of(ours[f], f) for f in both], axis=0)
                        there = np.min([e.of(theirs[f], f) for f in both], axis=0)
                        rival |= unknown & (there > here) & (there >= definitions.refine_from)
        found[d.name] = rival
    return found


def choose(judged: Mapping[str, Judged], definitions: Definitions, *, without: Mapping[str, Bools]) -> Named:
    """The name of every row: of the names that are met and that no other met one refines, the likeliest; `without`
    those that are withheld."""
    names = list(judged)
    place = {name: i for i, name in enumerate(names)}
    met = np.stack([j.met & ~without[name] for name, j in judged.items()], axis=1)
    score = np.stack([j.score for j in judged.values()], axis=1)
    refined = np.zeros_like(met)
    for i, name in enumerate(names):
        for above in definitions.ancestors(name):
            refined[:, place[above]] |= met[:, i]
    fit = np.where(met & ~refined, np.stack([j.fit for j in judged.values()], axis=1), -np.inf)
    rows = np.arange(len(fit))
    best = fit.argmax(axis=1)
    top = fit[rows, best]
    fit[rows, best] = -np.inf
    second = fit.argmax(axis=1)
    other = fit[rows, second]
    best, second = np.where(np.isfinite(top), best, -1), np.where(np.isfinite(other), second, -1)
    behind = np.subtract(top, other, out=np.full(len(rows), np.inf), where=np.isfinite(other) & np.isfinite(top))
    shared = np.zeros(len(rows), bool)
    for a, b in {(int(a), int(b)) for a, b in zip(best[behind < TIE], second[behind < TIE], strict=True)}:
        both = _shared(names[a], names[b], definitions)
        if both is not None:
            tied = (behind < TIE) & (best == a) & (second == b) & met[:, place[both]]
            best[tied], second[tied], shared[tied] = place[both], a, True
    nothing = np.full(len(rows), np.nan)
    return Named(
        best,
        second,
        np.where(best >= 0, score[rows, best], nothing),
        np.where(second >= 0, score[rows, second], nothing),
        np.where(best >= 0, np.tanh(behind / 2), nothing),
        shared,
    )


def _shared(one: str, other: str, definitions: Definitions) -> str | None:
    """The most specific name that both refine, None without one."""
    both = definitions.ancestors(one) & definitions.ancestors(other)
    finest = [name for name in both if not any(name in definitions.ancestors(b) for b in both)]
    return min(finest, default=None)
