"""Rows of TESTS: blank, from an estimate with its error, from an exact test, and without numbers where none are due."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cimlnk.stats.fdr import fdr
from cimlnk.stats.paired import Tested

from .contrasts import Contrast
from .tables import TESTS

Floats = NDArray[np.float64]
NUMBERS = ["effect", "effect_low", "effect_high", "se", "df", "p", "p_floor"]


def blank_rows(test: str, unit: str, names: list[str], contrast: Contrast, method: str) -> pd.DataFrame:
    table = pd.DataFrame({"population": names})
    table["test"], table["contrast"], table["effect_unit"], table["method"] = test, contrast.name, unit, method
    table["feature"] = None
    table[[*NUMBERS, "fdr"]] = np.nan
    table["converged"], table["separated"], table["n_patients"], table["reason"] = False, False, 0, None
    return table


def wald(table: pd.DataFrame, effect: Floats, se: Floats, df: int, level: float = 0.95) -> None:
    half = stats.t.ppf(0.5 + level / 2, df) * se
    table["effect"], table["effect_low"], table["effect_high"] = effect, effect - half, effect + half
    table["se"], table["df"], table["p_floor"] = se, float(df), 0.0
    table["p"] = 2 * stats.t.sf(np.abs(effect) / se, df)


def blank_separated(result: pd.DataFrame, separated: Sequence[bool]) -> pd.Series:
    """No numbers where one side of the contrast has no cell: on a log scale they would be those of the pseudo-count."""
    result["separated"] = list(separated)
    lost = result["separated"].astype(bool)
    result.loc[lost, NUMBERS] = np.nan
    result.loc[lost, "reason"] = "separated: one side of the contrast has no cell of the population"
    return lost


def from_tested(test: str, unit: str, names: list[str], contrast: Contrast, method: str, found: Tested) -> pd.DataFrame:
    table = blank_rows(test, unit, names, contrast, method)
    table["n_patients"], table["effect"] = found.n, found.effect
    table["effect_low"], table["effect_high"] = found.low, found.high
    table["se"], table["df"], table["p"], table["p_floor"] = found.se, found.df, found.p, found.p_floor
    table["converged"], table["reason"] = np.isfinite(found.p), found.reason
    return table


def with_fdr(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join tables of tests and adjust p within each test x method x contrast."""
    kept = [t for t in tables if len(t)]
    if not kept:
        return TESTS.empty()
    joined = pd.concat(kept, ignore_index=True)
    family = joined.groupby(["modality", "test", "method", "contrast"], sort=False)["p"]
    return TESTS.check(joined.assign(fdr=family.transform(lambda p: fdr(p.to_numpy()))))
