"""Mixed models of many cohorts of one design fitted in one call: the same fits, for fewer calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

import numpy as np
import pandas as pd

from cimlnk.dynamics.abundance import differential
from cimlnk.dynamics.designs import Design, make_design
from cimlnk.stats.beta_binomial import MixedCounts, fit_counts

One = TypeVar("One")


class _Later(Exception):
    """Stops a first round at its fit, which is made together with those of the other cohorts."""


def together(make: Callable[[One], pd.DataFrame], cohorts: Sequence[One]) -> list[pd.DataFrame]:
    """``make(cohort)`` of every cohort, its beta-binomial fits made with those of cohorts of the same design.

    `make` is called twice and has to come to the same data both times.
    """
    asked: list[tuple[Any, ...]] = []

    def note(y: Any, n: Any, design: Any, *, group: Any) -> MixedCounts:
        asked.append((y, np.broadcast_to(n, y.shape), design, group))
        raise _Later

    def first(cohort: One) -> pd.DataFrame | None:
        try:
            return make(cohort)
        except _Later:
            return None

    with designs_once():
        with mock.patch.object(differential, "fit_counts", note):
            tables = [first(c) for c in cohorts]
        fits = _fits(asked)
        with mock.patch.object(differential, "fit_counts", lambda *_, **__: next(fits)):
            return [t if t is not None else make(c) for t, c in zip(tables, cohorts, strict=True)]


def _fits(asked: Sequence[tuple[Any, ...]]) -> Iterator[MixedCounts]:
    """The fits in the order they were asked for, those of one design made at once."""
    alike: dict[tuple[bytes, bytes], list[int]] = {}
    for i, (_, _, design, group) in enumerate(asked):
        alike.setdefault((design.tobytes(), group.tobytes()), []).append(i)
    found: dict[int, MixedCounts] = {}
    for of in alike.values():
        y, n = (np.concatenate([asked[i][k] for i in of]) for k in (0, 1))
        _, _, design, group = asked[of[0]]
        whole = fit_counts(y, n, design, group=group)
        ends = np.cumsum([len(asked[i][0]) for i in of])[:-1]
        parts = [np.split(column, ends) for column in whole]
        for place, i in enumerate(of):
            found[i] = MixedCounts(*(column[place] for column in parts))
    return iter([found[i] for i in range(len(asked))])


_known: dict[tuple[Any, ...], Design] = {}


def design_of(samples: pd.DataFrame, formula: str, baseline: str, **options: Any) -> Design:
    """:func:`make_design` without covariates, made once for all cohorts with the same samples."""
    if formula != "auto":  # the key below holds no covariates, by which a formula may ask for another design
        raise ValueError(f"found formula {formula!r}, expected 'auto'")
    key = (*(tuple(samples[c]) for c in ("patient", "arm", "timepoint")), baseline, *sorted(options.items()))
    if key not in _known:
        _known[key] = make_design(samples, formula, baseline, **options)
    return _known[key]


@contextmanager
def designs_once() -> Iterator[None]:
    """Designs of the tests of abundance are made once."""
    with mock.patch.object(differential, "make_design", design_of):
        yield
