"""The cohort as a data set for NONMEM, Monolix and nlmixr2: numbers only, doses and observations in one table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.common.palette import order
from cimlnk.dynamics.abundance.folds import SERIES, daily
from cimlnk.stats.intervals import Z95

from .tables import EVENTS

INFUSION, BLOOD, IL2 = 1, 2, 3


def make_events(
    abundance: pd.DataFrame,
    folds: pd.DataFrame,
    kinetics: pd.DataFrame,
    *,
    patients: pd.DataFrame,
    counts: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records of all patients, and the key from numbers to names.

    Values of one modality only are written (mass cytometry where there is any): NK/µL is the same in both, and two
    measurements of one subset would not be independent.

    Returns
    -------
    events
        One row a dose (CMT 1: infusion on day 0 where ``dose_per_kg`` is given; CMT 3: IL-2) or observation (CMT 2),
        sorted by ID, TIME, doses before observations. Columns: see ``EVENTS``.
    key
        Columns kind (``patient``, ``arm``, ``population``), number, name.
    """
    people = sorted(set(abundance["patient"]))
    arms = sorted(set(abundance["arm"]))
    days = daily(abundance)
    days = days[days["modality"] == days["modality"].min()] if len(days) else days
    names = ["NK", *order(set(days["population"]) - {"NK"})]
    ends = kinetics.set_index(SERIES)["censored_day"] if len(kinetics) else pd.Series(dtype=float)
    based = folds[folds["day"] == folds["baseline_day"]] if len(folds) else folds
    arm_of = abundance.groupby("patient")["arm"].first()
    rows = []
    for key, series in days.groupby(SERIES, sort=True):
        end = float(ends.get(key, np.nan))
        mine = based[(based[SERIES] == list(key)).all(axis=1)] if len(based) else based
        at = series[series["day"].isin(set(mine["day"]))]["cells_per_ul"] if len(mine) else pd.Series(dtype=float)
        base = float(at.iloc[0]) if len(at) and np.isfinite(at.iloc[0]) else -99.0
        for r in series[series["cells_per_ul"].notna()].itertuples():
            none = r.cells_per_ul <= 0
            value = float(r.cells_per_ul_high if none else r.cells_per_ul)
            if not value > 0:
                continue  # neither a value nor a limit: nothing a likelihood could use
            told = not none and r.cells_per_ul_low > 0 and np.isfinite(r.cells_per_ul_high)
            rows.append(
                {
                    "ID": people.index(key[1]) + 1, "DAY": float(r.day), "AMT": 0.0, "DV": value, "LDV": np.log(value),
                    "CMT": BLOOD, "EVID": 0, "CENS": int(none), "DVID": names.index(key[3]) + 1,
                    "SE": float(np.log(r.cells_per_ul_high / r.cells_per_ul_low) / (2 * Z95)) if told else 0.0,
                    "ARM": arms.index(key[2]) + 1, "BASE": base, "AFTER": int(r.day > end),
                }
            )  # fmt: skip
    doses = [(r.patient, 0.0, float(r.dose_per_kg), INFUSION) for r in patients.itertuples() if _given(r)]
    if "il2_dose" in counts:
        given = counts[counts["il2_dose"] > 0]
        doses += [(r.patient, float(r.day), float(r.il2_dose), IL2) for r in given.itertuples()]
    for patient, day, amount, place in doses:
        if patient in people:
            rows.append(
                {
                    "ID": people.index(patient) + 1, "DAY": day, "AMT": amount, "DV": 0.0, "LDV": 0.0, "CMT": place,
                    "EVID": 1, "CENS": 0, "DVID": 0, "SE": 0.0, "ARM": arms.index(arm_of[patient]) + 1, "BASE": -99.0,
                    "AFTER": 0,
                }
            )  # fmt: skip
    key_rows = [("patient", people), ("arm", arms), ("population", names)]
    key_table = pd.DataFrame(
        [(kind, i, name) for kind, listed in key_rows for i, name in enumerate(listed, 1)],
        columns=["kind", "number", "name"],
    )
    if not rows:
        return EVENTS.empty(), key_table
    table = pd.DataFrame(rows).assign(LIMIT=0.0)
    table["TIME"] = table["DAY"] - table.groupby("ID")["DAY"].transform("min")
    table["MDV"] = table["EVID"]
    table = table.sort_values(["ID", "TIME", "EVID", "CMT", "DVID"], ascending=[True, True, False, True, True])
    return EVENTS.check(table), key_table


def _given(row: object) -> bool:
    dose = getattr(row, "dose_per_kg", np.nan)
    return bool(pd.notna(dose) and dose > 0)
