"""The only maker of TESTS rows: blank, from an estimate with its error, from a test; and FDR over named families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cimlnk.stats.fdr import fdr
from cimlnk.stats.intervals import t_interval
from cimlnk.stats.paired import Tested

from .contrasts import Contrast, confounded
from .tables import METHODS, TESTS

Floats = NDArray[np.float64]
NUMBERS = ["effect", "effect_low", "effect_high", "se", "df", "p", "p_floor"]
#: What a reader reads first; the others ask the same of the same numbers under other assumptions.
PRIMARY = frozenset(METHODS) - {"sign_flip", "signed_rank", "relabelling", "none"}


def blank_rows(
    test: str,
    unit: str,
    names: ArrayLike,
    *,
    contrast: str,
    method: str,
    features: ArrayLike | Sequence[str | None] | None = None,
    modality: str | None = None,
    n_patients: int = 0,
    reason: str | None = None,
    primary: bool | None = None,
    numbers: Mapping[str, ArrayLike] | None = None,
) -> pd.DataFrame:
    """Rows of TESTS without numbers, one a population (and feature).

    Parameters
    ----------
    test, unit, contrast, method
        As in TESTS; `method` is a key of METHODS.
    names, features
        Populations, and what is tested of each (None: the population itself).
    modality
        ``cytof`` or ``rna``; None if the caller adds it.
    n_patients, reason
        The same in all rows.
    primary
        Whether these are the rows to read; by default as `method` says.
    numbers
        Columns that are known all the same.

    Raises
    ------
    ValueError
        If `method` is not on the closed list: a fault in the calling code.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not on the closed list: {', '.join(METHODS)}")
    populations = np.asarray(names, dtype=object)
    n = len(populations)
    columns: dict[str, Any] = {  # in one go: one assignment a column takes longer than the tests themselves
        "population": populations,
        "feature": np.array([None] * n if features is None else features, dtype=object),
        "test": test, "contrast": contrast, "effect_unit": unit, "method": method,
        **{c: np.full(n, np.nan) for c in (*NUMBERS, "fdr")},
        "n_patients": n_patients, "converged": False, "separated": False,
        "reason": np.full(n, reason, dtype=object),
        "primary": method in PRIMARY if primary is None else primary,
    }  # fmt: skip
    if modality is not None:
        columns["modality"] = modality
    return pd.DataFrame({**columns, **(numbers or {})}, index=pd.RangeIndex(n))


def wald(table: pd.DataFrame, effect: Floats, se: Floats, *, df: float | Floats, level: float = 0.95) -> None:
    """Put an estimate with its error into `table`: t interval and p, floor 0."""
    low, high, p = t_interval(effect, se, df, level=level)
    table["effect"], table["effect_low"], table["effect_high"] = effect, low, high
    table["se"], table["df"], table["p_floor"], table["p"] = se, np.asarray(df, dtype=float), 0.0, p


def blank_separated(result: pd.DataFrame, separated: Sequence[bool]) -> pd.Series:
    """No numbers where one side of the contrast has no cell: on a log scale they would be those of the pseudo-count."""
    result["separated"] = list(separated)
    lost = result["separated"].astype(bool)
    result.loc[lost, NUMBERS] = np.nan
    result.loc[lost, "reason"] = "separated: one side of the contrast has no cell of the population"
    return lost


def blank_confounded(table: pd.DataFrame, samples: pd.DataFrame, todo: Sequence[Contrast]) -> pd.DataFrame:
    """No numbers for contrasts that batches could have made (:func:`.contrasts.confounded`), and the reason instead."""
    if not len(table):
        return table
    said = {c.name: confounded(samples, c) for c in todo}
    why = table["contrast"].map(said)
    lost = why.notna()
    if lost.any():
        table = table.copy()
        table.loc[lost, [c for c in (*NUMBERS, "fdr") if c in table]] = np.nan
        table.loc[lost, "converged"] = False
        table.loc[lost, "reason"] = why[lost]
    return table


def from_tested(
    test: str,
    unit: str,
    names: ArrayLike,
    *,
    contrast: str,
    method: str,
    found: Tested,
    features: ArrayLike | None = None,
    modality: str | None = None,
    primary: bool | None = None,
) -> pd.DataFrame:
    """Rows of TESTS from a test of many rows at once."""
    numbers: dict[str, ArrayLike] = {
        "n_patients": found.n, "effect": found.effect, "effect_low": found.low, "effect_high": found.high,
        "se": found.se, "df": found.df, "p": found.p, "p_floor": found.p_floor, "converged": np.isfinite(found.p),
        "reason": found.reason,
    }  # fmt: skip
    return blank_rows(
        test, unit, names, contrast=contrast, method=method, features=features, modality=modality, primary=primary,
        numbers=numbers,
    )  # fmt: skip


def with_fdr(tables: Sequence[pd.DataFrame], family: Sequence[str] = ("test", "method", "contrast")) -> pd.DataFrame:
    """Join rows, name their families and adjust p within each (Benjamini & Hochberg 1995).

    Parameters
    ----------
    tables
        Rows with `modality`.
    family
        Columns that, with the modality, tell one family from another: the default takes together the populations and
        features of one test by one method in one contrast. Empty: all rows together, modalities too.
    """
    kept = [t for t in tables if len(t)]
    if not kept:
        return TESTS.empty()
    joined = pd.concat(kept, ignore_index=True)
    columns = ["modality", *family] if family else []
    joined["fdr_family"] = joined[columns].agg(", ".join, axis=1) if columns else "all rows of the table"
    adjusted = joined.groupby("fdr_family", sort=False)["p"].transform(lambda p: fdr(p.to_numpy(float)))
    return TESTS.check(joined.assign(fdr=adjusted))
