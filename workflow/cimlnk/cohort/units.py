"""Counts that look as if they were in another unit than per microlitre (10⁹/L, as most laboratories write them)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .read import LINE
from .words import listed

COLUMNS = ("lymphocytes_per_ul", "nk_per_ul")
APART = 100  # half the way, on a log scale, to the next unit (1,000) is 32; biology of one day spans less than 100
DAYS = 3  # values of other patients this near in time are comparable: every transplant has its empty weeks
# Blood of people who are not freshly conditioned has more, and a sheet has a row of such days.
LEAST = {"lymphocytes_per_ul": 20.0, "nk_per_ul": 2.0}
# Blood has hardly more, the NK cells not even when memory-like ones are at their peak after infusion.
MOST = {"lymphocytes_per_ul": 10_000.0, "nk_per_ul": 5_000.0}
ENOUGH = 4
ADVICE = "if they are in 10^9 per litre, they need to be multiplied by 1,000"


def odd_units(counts: pd.DataFrame, file: str) -> list[str]:
    """What to say of counts that may be in another unit; nothing is changed.

    Reported are: a sheet of which no value is as high as blood has, or half of the values are above what blood has
    (:data:`MOST`); a patient of whom half of the values are; a patient whose values are all at least 100-fold below (or
    above) those of most of the others at the same time; a single value 100-fold below the patient's own before and
    after it, or above what blood has and 100-fold above the patient's others. Values above :data:`MOST` are nobody's
    measure, so that no patient is judged by them.

    Parameters
    ----------
    counts
        patient, day, lymphocytes_per_ul, nk_per_ul, :data:`~cimlnk.cohort.read.LINE`.
    file
        Of the counts, for the words.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": list("abcd"), "day": 0, "nk_per_ul": [0.21, 0.18, 0.3, 0.25], LINE: 2})
    >>> odd_units(table.assign(lymphocytes_per_ul=float("nan")), "counts.tsv")[0][:52]
    'counts.tsv, column nk_per_ul: no value is above 0.3,'
    """
    words = []
    for column in COLUMNS:
        given = counts.dropna(subset=["patient", "day", column])
        given = given[given[column] > 0].sort_values(["patient", "day"], kind="stable")
        who, most = f"{file}, column {column}", MOST[column]
        if len(given) >= ENOUGH and given[column].max() < LEAST[column]:
            top = f"{given[column].max():g}"
            words.append(f"{who}: no value is above {top}, very little for a microlitre: {ADVICE}")
            continue
        if len(given) and given[column].median() > most:
            words.append(
                f"{who}: the median is {given[column].median():,.0f}, {_too_many(given[column].median(), most)}"
            )
            continue
        plausible = given[given[column] <= most]
        middle = given.groupby("patient", sort=True)[column].median()
        high = middle[middle > most]
        alike = [p for p in high.index if _factor(high[p], most) == _factor(high.max(), most)]
        if alike:
            have = f"patient {alike[0]} has" if len(alike) == 1 else f"patients {listed(alike)} have"
            words.append(f"{who}: {have} values up to {given.loc[given['patient'].isin(alike), column].max():,.0f}, "
                         f"{_too_many(high.max(), most)}")  # fmt: skip
        for patient, own in given[~given["patient"].isin(alike)].groupby("patient", sort=True):
            others = plausible[plausible["patient"] != patient]
            words += _patient(own, others, column, who=f"{who}: patient {patient}")
    return words


def _factor(value: float, most: float) -> int:
    return 1_000 if value / 1_000 <= most else 1_000_000


def _too_many(value: float, most: float) -> str:
    unit = "per millilitre" if _factor(value, most) == 1_000 else "per litre"
    advice = f"if they are {unit}, they need to be divided by {_factor(value, most):,}"
    return f"more than blood has per microlitre (hardly {most:,.0f}): {advice}"


def _patient(own: pd.DataFrame, others: pd.DataFrame, column: str, *, who: str) -> list[str]:
    below, above = [], []
    for row in own.to_dict("records"):
        near = others.loc[(others["day"] - row["day"]).abs() <= DAYS, column]
        if len(near) >= 2:  # of two others neither may be the odd one
            below.append(row[column] / near.quantile(0.5, "lower"))
            above.append(row[column] / near.quantile(0.5, "higher"))
    if below and max(below) <= 1 / APART:
        return [f"{who} has values {1 / max(below):,.0f} times and more below the others at that time: {ADVICE}"]
    if above and min(above) >= APART:
        how = f"{min(above):,.0f} times and more above the others at that time"
        return [f"{who} has values {how}: are they, and those of the others, per microlitre?"]
    values, words = own[column].to_numpy(), []
    for k in range(len(values)):
        row, rest = own.iloc[k], np.delete(values, k)
        if 0 < k < len(values) - 1 and values[k] * APART <= min(values[k - 1], values[k + 1]):
            words.append(
                f"{who}, row {row[LINE]}: {values[k]:g} on day {row['day']:g}, between {values[k - 1]:g} and "
                f"{values[k + 1]:g}: if it is in 10^9 per litre, it needs to be multiplied by 1,000"
            )
        if len(rest) and values[k] > MOST[column] and values[k] >= APART * np.median(rest):
            words.append(
                f"{who}, row {row[LINE]}: {values[k]:,.0f} on day {row['day']:g}, {_too_many(values[k], MOST[column])}"
            )
    return words
