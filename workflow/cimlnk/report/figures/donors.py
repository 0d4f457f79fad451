"""Whose cells over time: shares of persons, joined over days only where the person is known to be the same."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cimlnk.report.style import colours, label_lowest, pyplot, symlog_days

ROLES = {"donor": "#8B2FC9", "recipient": "#0072B2"}


def shares_over_time(shares: pd.DataFrame) -> Any:
    """Share of every person in each patient's samples, one panel a patient.

    Parameters
    ----------
    shares
        SHARES of one population. Points of a named person are joined over the days of blood; products and donors'
        samples stand as open squares. Labels without a person are grey crosses, joined with nothing.
    """
    plt = pyplot()
    patients = sorted(shares["patient"].unique())
    named = shares[shares["named"]]
    people = sorted(named["person"].unique())
    fixed = {p: ROLES[r] for p, r in zip(named["person"], named["role"], strict=True) if r in ROLES}
    others = colours([p for p in people if p not in fixed])
    columns = min(3, len(patients))
    rows = -(-len(patients) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(4.1 * columns + 1.6, 2.9 * rows + 0.3), sharex=True, sharey=True, squeeze=False
    )
    for axis, patient in zip(axes.flat, patients, strict=False):
        mine = shares[shares["patient"] == patient]
        for person, own in mine[mine["named"]].groupby("person", sort=True):
            colour = fixed.get(person, others.get(person))
            role = own["role"].dropna()
            blood = own[own["tissue_or_product"] == "blood"].sort_values("day")
            words = f"{person} ({role.iloc[0]})" if len(role) else str(person)
            axis.plot(blood["day"], blood["share"], color=colour, marker="o", markersize=4, linewidth=1.4, label=words)
            axis.vlines(own["day"], own["share_low"], own["share_high"], color=colour, linewidth=1.0, alpha=0.7)
            other = own[own["tissue_or_product"] != "blood"]
            axis.plot(other["day"], other["share"], color=colour, marker="s", fillstyle="none", linestyle="none")
        lost = mine[~mine["named"]]
        axis.vlines(lost["day"], lost["share_low"], lost["share_high"], color="#999999", linewidth=1.0)
        axis.plot(lost["day"], lost["share"], color="#777777", marker="x", linestyle="none",
                  label="label without a person" if len(lost) else None)  # fmt: skip
        axis.set_title(f"{patient}: days not joined" if len(lost) else str(patient))
        axis.set_ylim(-0.03, 1.03)
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=7)
    symlog_days(axes, sorted(shares["day"].unique()))
    label_lowest(axes, len(patients))
    for row in axes:
        row[0].set_ylabel("share of the cells called")
    return figure
