"""What a named population is, by protein or by gene."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STATES = ("positive", "clear", "negative", "absent", "low", "bright", "raised", "dim")
ROOT = "NK"


@dataclass(frozen=True)
class Definition:
    """One named population.

    Attributes
    ----------
    name
        Id used in every table.
    requires
        Alternatives, any of which suffices: feature (or group) -> state, one of :data:`STATES`.
    parents
        Less specific names; the requirements of one of them hold too. ``NK`` has none.
    positive, clear, negative
        Feature (or group of features) -> weight of its further evidence.
    agree
        Share of the further evidence that has to agree for the name to be met; None if none has to.
    """

    name: str
    label: str
    requires: tuple[Mapping[str, str], ...]
    parents: tuple[str, ...] = (ROOT,)
    positive: Mapping[str, float] = field(default_factory=dict)
    negative: Mapping[str, float] = field(default_factory=dict)
    clear: Mapping[str, float] = field(default_factory=dict)
    agree: float | None = None
    description: str = ""
    source: str = ""

    def features(self) -> list[str]:
        """Features and groups named anywhere."""
        named = [f for r in self.requires for f in r]
        return list(dict.fromkeys([*named, *(f for _, f, _ in self.further())]))

    def further(self) -> list[tuple[str, str, float]]:
        """State, feature and weight of all further evidence."""
        given = {"positive": self.positive, "clear": self.clear, "negative": self.negative}
        return [(state, f, w) for state, weights in given.items() for f, w in weights.items()]


@dataclass(frozen=True)
class Brightness:
    """Where a feature becomes bright: `by` above the median of mature cells, those positive for one of `mature`."""

    mature: tuple[str, ...]
    by: float
    raised: float
    above_threshold: float


@dataclass(frozen=True)
class Score:
    """A number from genes of the cluster itself: molecules of `over` per 10,000, or their ratio to those of `under`.

    Positive above `above` (molecules per 10,000 without `under`, else log2 of the ratio); `sd` is the doubt of it,
    log2.
    """

    over: tuple[str, ...]
    under: tuple[str, ...]
    above: float
    sd: float


@dataclass(frozen=True)
class Definitions:
    """All populations of a file, groups of which any member counts (KIR), where features become bright, and scores."""

    populations: tuple[Definition, ...]
    groups: Mapping[str, tuple[str, ...]]
    bright: Mapping[str, Brightness] = field(default_factory=dict)
    scores: Mapping[str, Score] = field(default_factory=dict)
    refine_from: float = 0.5

    def features(self) -> list[str]:
        """Every feature named anywhere, groups expanded, in order of first mention."""
        named = [f for d in self.populations for f in d.features()]
        named += [m for b in self.bright.values() for m in b.mature]
        named += [g for s in self.scores.values() for g in (*s.over, *s.under)]
        return list(dict.fromkeys(m for f in named if f not in self.scores for m in self.groups.get(f, (f,))))

    def get(self, name: str) -> Definition:
        """The definition of that name."""
        return next(d for d in self.populations if d.name == name)

    def ancestors(self, name: str) -> set[str]:
        """All less specific names that `name` refines, without itself."""
        found: set[str] = set()
        todo = [name]
        while todo:
            for parent in self.get(todo.pop()).parents:
                if parent != ROOT and parent not in found:
                    found.add(parent)
                    todo.append(parent)
        return found

    def refined(self) -> dict[str, list[str]]:
        """Names that others refine whatever they are, with those others; a name with several alternatives above it is
        under none of them."""
        known = {d.name for d in self.populations}
        result: dict[str, set[str]] = {}
        for d in self.populations:
            lines = [{p, *(self.ancestors(p) if p in known else ())} & known for p in d.parents]
            for parent in set.intersection(*lines) if lines else set():
                result.setdefault(parent, set()).add(d.name)
        return {name: sorted(result[name]) for name in sorted(result)}
