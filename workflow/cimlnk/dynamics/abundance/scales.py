"""Is a change in share also a change in cells per microlitre? One verdict from the three scales."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .tables import SCALES


def compare_scales(tests: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """Put share, absolute count and log-ratio side by side for every population and contrast.

    Parameters
    ----------
    tests
        TESTS with the tests ``abundance``, ``absolute`` and ``clr``.
    alpha
        A change is shown if its FDR is at most this.

    Returns
    -------
    DataFrame
        SCALES. `verdict`: ``absolute and relative`` (cells per µL and share moved the same way), ``absolute only`` (it
        moved with all NK cells), ``relative only`` (its share moved because others did, or the counts are too noisy to
        tell), ``opposite`` (share and count moved against each other), ``no change shown``. The log-ratio backs a
        change of share: where its sign differs, `reason` says that the share follows another population.
    """
    wide = {}
    for test in ("abundance", "absolute", "clr"):
        part = tests[(tests["test"] == test) & tests["feature"].isna()]
        wide[test] = part.set_index(["modality", "population", "contrast"])[["effect", "fdr"]]
    keys = wide["abundance"].index
    if len(keys) == 0:
        return SCALES.empty()
    share, absolute, ratio = (wide[t].reindex(keys) for t in ("abundance", "absolute", "clr"))
    rows = []
    for key, (s, sp), (a, ap), (c, _) in zip(
        keys, share.to_numpy(float), absolute.to_numpy(float), ratio.to_numpy(float), strict=True
    ):
        verdict, reason = _verdict(s, sp <= alpha, a, absolute_shown=ap <= alpha)
        if reason is None and sp <= alpha and np.isfinite(c) and np.sign(c) != np.sign(s):
            reason = "against the mean of all populations it moved the other way: its share follows another population"
        rows.append((*key, s, a, c, verdict, reason))
    return SCALES.check(pd.DataFrame(rows, columns=list(SCALES.columns)))


def _verdict(share: float, share_shown: bool, absolute: float, *, absolute_shown: bool) -> tuple[str, str | None]:
    if not np.isfinite(share) or not np.isfinite(absolute):
        which = "share" if not np.isfinite(share) else "cells per microlitre"
        return "not evaluable", f"no effect on the scale of {which}"
    if share_shown and absolute_shown:
        return ("absolute and relative" if np.sign(share) == np.sign(absolute) else "opposite"), None
    if absolute_shown:
        return "absolute only", None
    if share_shown:
        return "relative only", None
    return "no change shown", None
