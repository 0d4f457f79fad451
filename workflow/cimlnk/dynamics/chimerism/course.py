"""DONOR_KINETICS: how high a person's NK cells rise, how long they are seen, how fast they go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK
from cimlnk.stats.intervals import t_interval

from .tables import DONOR_KINETICS

LEAST_DAYS = 3  # days from the peak on for a half-life with an interval


def make_donor_kinetics(shares: pd.DataFrame) -> pd.DataFrame:
    """Peak, persistence and half-life of every named person's NK cells in blood.

    Folds over a baseline say nothing here: before infusion a donor has no cell. Files of one day are averaged.

    Parameters
    ----------
    shares
        SHARES.

    Returns
    -------
    DataFrame
        DONOR_KINETICS, sorted by patient and person. The half-life is that of a straight line through the logarithms of
        the days from the peak on, as far as the person's cells are detected (at least three days), with the t interval.
    """
    blood = shares[(shares["population"] == NK) & (shares["tissue_or_product"] == "blood") & shares["named"]]
    rows = []
    for (patient, arm, person), own in blood.groupby(["patient", "arm", "person"], sort=True):
        role = own["role"].dropna()
        row = {"patient": patient, "arm": arm, "person": person, "role": role.iloc[0] if len(role) else None}
        rows.append(row | _course(_daily(own)))
    if not rows:
        return DONOR_KINETICS.empty()
    return DONOR_KINETICS.check(pd.DataFrame(rows).reindex(columns=list(DONOR_KINETICS.columns)))


def _daily(own: pd.DataFrame) -> pd.DataFrame:
    numbers = ["share", "share_low", "share_high", "per_ul", "per_ul_low", "per_ul_high"]
    grouped = own.groupby("day", sort=True)
    return grouped[numbers].mean().assign(detected=grouped["detected"].any()).reset_index().dropna(subset=["share"])


def _course(days: pd.DataFrame) -> dict[str, Any]:
    after = days[days["day"] > 0]
    row: dict[str, Any] = {
        "n_days": len(days), "n_days_per_ul": int(days["per_ul"].notna().sum()), "reason": None,
        **dict.fromkeys((c for c, (kind, _) in DONOR_KINETICS.columns.items() if kind == "float"), np.nan),
    }  # fmt: skip
    if not len(after):
        return row | {"reason": "no share of the NK cells in blood after infusion"}
    top = after.loc[after["share"].idxmax()]
    row |= {"peak_share": top["share"], "peak_share_low": top["share_low"], "peak_share_high": top["share_high"]}
    row["peak_share_day"] = float(top["day"])
    seen = after[after["detected"]]
    if len(seen):
        row["first_day_detected"], row["last_day_detected"] = float(seen["day"].min()), float(seen["day"].max())
        lost = after[(after["day"] > seen["day"].max()) & ~after["detected"]]
        row["first_day_lost"] = float(lost["day"].min()) if len(lost) else np.nan
    counted = after.dropna(subset=["per_ul"])
    if not len(counted):
        return row | {"reason": "no count of NK cells per uL"}
    high = counted.loc[counted["per_ul"].idxmax()]
    row |= {"peak_per_ul": high["per_ul"], "peak_per_ul_low": high["per_ul_low"]}
    row |= {"peak_per_ul_high": high["per_ul_high"], "peak_day": float(high["day"])}
    return row | _half_life(counted[(counted["day"] >= high["day"]) & counted["detected"] & (counted["per_ul"] > 0)])


def _half_life(falling: pd.DataFrame) -> dict[str, Any]:
    if len(falling) < LEAST_DAYS:
        return {"reason": f"no half-life: detected on {len(falling)} days from the peak on, {LEAST_DAYS} are needed"}
    from scipy import stats

    line = stats.linregress(falling["day"].to_numpy(float), np.log2(falling["per_ul"].to_numpy(float)))
    steep, flat, _ = (float(v) for v in t_interval(line.slope, line.stderr, len(falling) - 2))
    if line.slope >= 0:
        return {"reason": "no half-life: no fall from the peak on"}
    return {"half_life_days": -1 / line.slope, "half_life_low": -1 / steep,
            "half_life_high": -1 / flat if flat < 0 else np.inf}  # fmt: skip
