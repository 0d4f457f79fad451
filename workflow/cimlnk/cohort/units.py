"""Counts that look as if they were in another unit than per microlitre (10⁹/L, as most laboratories write them)."""

from __future__ import annotations

import pandas as pd

from .read import LINE

COLUMNS = ("lymphocytes_per_ul", "nk_per_ul")
APART = 100  # half the way, on a log scale, to the next unit (1,000) is 32; biology of one day spans less than 100
DAYS = 3  # values of other patients this near in time are comparable: every transplant has its empty weeks
# Blood of people who are not freshly conditioned has more, and a sheet has a row of such days.
LEAST = {"lymphocytes_per_ul": 20.0, "nk_per_ul": 2.0}
ENOUGH = 4
ADVICE = "if they are in 10^9 per litre, they need to be multiplied by 1,000"


def odd_units(counts: pd.DataFrame, file: str) -> list[str]:
    """What to say of counts that may be in another unit; nothing is changed.

    A patient whose values are all at least 100-fold below (or above) the median of the others at the same time, a
    single value that is 100-fold below the patient's own before and after it, and a sheet of which no value is as high
    as blood has are told.

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
        if len(given) >= ENOUGH and given[column].max() < LEAST[column]:
            top = f"{given[column].max():g}"
            words.append(f"{file}, column {column}: no value is above {top}, very little for a microlitre: {ADVICE}")
            continue
        for patient, own in given.groupby("patient", sort=True):
            others = given[given["patient"] != patient]
            words += _patient(own, others, column, who=f"{file}, column {column}: patient {patient}")
    return words


def _patient(own: pd.DataFrame, others: pd.DataFrame, column: str, *, who: str) -> list[str]:
    ratios = []
    for row in own.to_dict("records"):
        near = others.loc[(others["day"] - row["day"]).abs() <= DAYS, column]
        if len(near) >= 2:
            ratios.append(row[column] / near.median())
    if ratios and max(ratios) <= 1 / APART:
        return [f"{who} has values {1 / max(ratios):,.0f} times and more below the others at that time: {ADVICE}"]
    if ratios and min(ratios) >= APART:
        above = f"{min(ratios):,.0f} times and more above the others at that time"
        return [f"{who} has values {above}: are they per microlitre?"]
    values, words = own[column].to_numpy(), []
    for k in range(1, len(values) - 1):
        if values[k] * APART <= min(values[k - 1], values[k + 1]):
            row = own.iloc[k]
            words.append(
                f"{who}, row {row[LINE]}: {values[k]:g} on day {row['day']:g}, between {values[k - 1]:g} and "
                f"{values[k + 1]:g}: if it is in 10^9 per litre, it needs to be multiplied by 1,000"
            )
    return words
