"""What a situation asks: one line each, with what was found, and whether it is as asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FOUND = 0.75  # least share of the cells in clusters of a population that must have its name
RIGHT = 0.70  # least share of all NK cells with a name that holds, or a less specific one
FOREIGN = 0.02  # largest share of the NK cells with a name that must not be there


class Check(NamedTuple):
    """One thing asked: in words, the number found, the bound and its side, and whether it holds."""

    asked: str
    value: float
    bound: float
    passed: bool


def at_least(asked: str, value: float, bound: float = FOUND) -> Check:
    """Passed if `value` reaches `bound`; a value that is not there does not."""
    return Check(asked, float(value), bound, bool(value >= bound))


def at_most(asked: str, value: float, bound: float = FOREIGN) -> Check:
    """Passed if `value` does not exceed `bound`; a value that is not there does not."""
    return Check(asked, float(value), bound, bool(value <= bound))


def holds(asked: str, value: bool) -> Check:
    """Passed if `value` is true."""
    return Check(asked, float(value), 1.0, bool(value))


@dataclass(frozen=True)
class Scenario:
    """A situation: its number, what it is, and a function of seed and size (small or not) that checks it.

    `known` says why it is missed with some seeds, where that is known and not mended; it counts as missed all the same.
    Rates of chance are asked of the cohorts of all seeds together (`together`: the function is given how many seeds).
    """

    number: str
    title: str
    run: Callable[[int, bool], list[Check]]
    together: bool = False
    known: str = ""

    def over(self, seeds: int, small: bool) -> list[Check]:
        """The checks of several seeds: of each the worst value, passed if all are."""
        if self.together:
            return self.run(seeds, small)
        rounds = [self.run(seed, small) for seed in range(1, seeds + 1)]
        result = []
        for same in zip(*rounds, strict=True):
            failed = [c for c in same if not c.passed]
            worst = failed[0] if failed else same[int(np.argmin([abs(c.value - c.bound) for c in same]))]
            result.append(worst._replace(passed=not failed))
        return result
