"""Purity of every product against the bound, and its functional readings beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import CYTOMETRY
from cimlnk.stats.intervals import wilson

from .tables import RELEASE

KILLING, IFN, TNF = ("killing", "lysis", "cytotoxicity"), ("ifn-g", "ifng", "ifn-gamma"), ("tnf-a", "tnf", "tnf-alpha")
NOBODY = ("none", "alone", "no target")


def release_table(
    samples: pd.DataFrame, summary: pd.DataFrame, functional: pd.DataFrame, *, bound: float
) -> pd.DataFrame:
    """RELEASE: one row per product with a file of cytometry.

    A product is released if NK cells make up at least `bound` of its live single events (Tavakoli et al. 2025, doi
    10.1007/s12672-025-02489-0, asked 80 % CD56+ CD3-). Its interval joins the counting error with the range of the
    gates (``n_nk_low``, ``n_nk_high`` of SUMMARY); where it holds the bound the product is ``borderline``: the file
    cannot tell. Functional readings are shown and decide nothing, because no bound for them was published.

    Parameters
    ----------
    samples, summary
        SAMPLES, and SUMMARY of mass cytometry, or of flow cytometry in a cohort without any; products of other files
        are not decided on.
    functional
        FUNCTIONAL; may be empty.
    bound
        Least share, 0 to 1.
    """
    # of mass cytometry where there is any, as SUMMARY is
    kind = next((m for m in CYTOMETRY if (samples["modality"] == m).any()), None)
    products = samples[(samples["tissue_or_product"] == "product") & (samples["modality"] == kind)]
    found = summary.set_index("sample")
    rows: list[dict[str, Any]] = []
    for product in products.sort_values("sample").to_dict("records"):
        own = found.loc[product["sample"]] if product["sample"] in found.index else None
        row = {"sample": product["sample"], "patient": product["patient"], "arm": product["arm"], "bound": bound}
        row |= _purity(own, bound)
        row |= _readings(functional[functional["sample"] == product["sample"]])
        rows.append(row)
    return RELEASE.check(pd.DataFrame(rows, columns=list(RELEASE.columns))) if rows else RELEASE.empty()


def _purity(own: pd.Series | None, bound: float) -> dict[str, Any]:
    blank = dict.fromkeys(("n_live", "n_nk", "purity", "purity_low", "purity_high"), np.nan)
    undecided = {**blank, "decision": "not decided"}
    if own is None:
        return {**undecided, "reason": "the product's file was not analysed"}
    if bool(own["left_out"]):
        return {**undecided, "reason": f"the product's file was left out: {own['reason']}"}
    live, nk = float(own["n_live_singlets"]), float(own["n_nk"])
    if not live > 0:
        return {**undecided, "reason": "no live single event in the product's file"}
    purity = nk / live
    least, most = wilson(purity, int(live))
    for column, sign in (("n_nk_low", -1), ("n_nk_high", 1)):
        other = float(own[column]) / live
        if np.isfinite(other):
            reach = wilson(min(max(other, 0.0), 1.0), int(live))
            least, most = (min(least, reach[0]), most) if sign < 0 else (least, max(most, reach[1]))
    decision, reason = "released" if purity >= bound else "not released", None
    if least < bound <= most:
        decision = "borderline"
        reason = f"the limits of the purity, {least:.1%} to {most:.1%}, hold the bound of {bound:.0%}"
    numbers = {"n_live": live, "n_nk": nk, "purity": purity, "purity_low": least, "purity_high": most}
    return {**numbers, "decision": decision, "reason": reason}


def _readings(rows: pd.DataFrame) -> dict[str, Any]:
    name = rows["readout"].str.lower().str.strip()
    target = rows["target"].fillna("").str.lower().str.strip()
    # a sheet's word "none" is read as an empty cell: beside readings of the same kind that name their targets it says
    # "alone" (beside others it says nothing: many sheets name the targets of the killing and of nothing else)
    named = ~target.isin(("", *NOBODY))
    alone = target.isin(NOBODY) | ((target == "") & named.groupby(name).transform("any"))
    killing = rows[name.isin(KILLING) & ~alone].groupby("effector_target")["value"].mean()

    def mean(words: tuple[str, ...], which: pd.Series) -> float:
        values = rows.loc[name.isin(words) & which, "value"]
        return float(values.mean()) if len(values) else np.nan

    return {
        "best_killing": float(killing.max()) if len(killing) else np.nan,
        "best_ratio": float(killing.idxmax()) if len(killing) else np.nan,
        "n_killing": int((name.isin(KILLING) & ~alone).sum()),
        "ifn_g": mean(IFN, ~alone),
        "ifn_g_alone": mean(IFN, alone),
        "tnf_a": mean(TNF, ~alone),
        "tnf_a_alone": mean(TNF, alone),
    }


def write_release(
    *,
    samples: str | Path,
    summary: str | Path,
    functional: str | Path,
    bound: float,
    output: str | Path,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write RELEASE."""
    table = release_table(read_table(samples), read_table(summary), read_table(functional), bound=bound)
    write_table(table, output, RELEASE, provenance=provenance)
