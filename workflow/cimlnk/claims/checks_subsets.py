"""Claims about named subsets (C15, C18–C23)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .compare import paired
from .evidence import Evidence, Verdict, judged, not_evaluable


def _shares(evidence: Evidence, population: str, arm: str | None = None) -> pd.DataFrame:
    """Fraction rows of a population in an arm; samples in which it was not seen count as zero."""
    table = evidence.fractions(arm or evidence.arms.treated)
    if not len(table) or not (table["population"] == population).any():
        return pd.DataFrame()
    keys = ["sample", "patient", "day", "tissue_or_product"]
    wide = table.pivot_table(index=keys, columns="population", values="fraction", fill_value=0.0)
    return wide[population].rename("fraction").reset_index()


def _rise(
    evidence: Evidence, population: str, first: int, *, last: int, arm: str | None = None
) -> tuple[pd.DataFrame, pd.DataFrame] | Verdict:
    shares = _shares(evidence, population, arm)
    if not len(shares):
        return not_evaluable(f"no cell was named {population}")
    blood = (shares["tissue_or_product"] == "blood") & shares["day"].between(first, last)
    both = paired(shares, "fraction", shares["tissue_or_product"] == "donor", after=blood)
    few = evidence.too_few(len(both), f"a donor and blood of days {first} to {last}")
    if few:
        return few
    return shares, both


def _donors_then_rise(
    evidence: Evidence, population: str, bounds: Mapping[str, Any], *, donors: tuple[float, float], donors_text: str
) -> Verdict:
    """The median share in donors lies inside `donors`, and enough patients rise between the bounds' days."""
    result = _rise(evidence, population, bounds["from_day"], last=bounds["to_day"])
    if isinstance(result, Verdict):
        return result
    _, both = result
    median = float(both["before"].median())
    up = int((both["difference"] > 0).sum())
    return judged(
        donors[0] <= median <= donors[1] and up >= bounds["share_up"] * len(both),
        f"median share in donors {median:.1%}, days {bounds['from_day']}-{bounds['to_day']} "
        f"{both['after'].median():.1%}; up in {up} of {len(both)}",
        value=float(both["difference"].median()),
        low=float(both["difference"].min()),
        high=float(both["difference"].max()),
        bound=f"donors {donors_text}, up in >= {bounds['share_up']:.0%}",
        n=len(both),
    )


def cd56bright(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C15: share in donors inside the known range, and higher in blood after infusion."""
    low, high = bounds["baseline_low"], bounds["baseline_high"]
    return _donors_then_rise(evidence, "CD56bright", bounds, donors=(low, high), donors_text=f"{low:.0%}-{high:.0%}")


def memory_share(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C18: memory-like share, donors against days after infusion."""
    high = bounds["donor_high"]
    return _donors_then_rise(evidence, "memory_like", bounds, donors=(0.0, high), donors_text=f"<= {high:.0%}")


def memory_not_adaptive(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C19: share of memory-like cells that carry NKG2C, an upper bound of their overlap with adaptive cells."""
    table = evidence.state_of("cytof", "NKG2C", population="memory_like")
    table = table[table["n_cells"] >= 20] if len(table) else table
    if not len(table):
        return not_evaluable("no sample with 20 memory-like cells and NKG2C measured")
    overlap = float(np.average(table["fraction_positive"], weights=table["n_cells"]))
    return judged(
        overlap < bounds["overlap"],
        f"{overlap:.1%} of {int(table['n_cells'].sum())} memory-like cells are NKG2C+ "
        "(an upper bound: adaptive also means CD57+)",
        value=overlap,
        bound=f"< {bounds['overlap']:.0%}",
        n=table["patient"].nunique(),
    )


def memory_persists(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C20: memory-like share on late days above the donor's."""
    result = _rise(evidence, "memory_like", bounds["from_day"], last=10_000)
    if isinstance(result, Verdict):
        return result
    shares, both = result
    up = int((both["difference"] > 0).sum())
    last = int(shares.loc[shares["tissue_or_product"] == "blood", "day"].max())
    return judged(
        up >= bounds["share_up"] * len(both),
        f"days {bounds['from_day']}-{last}: {both['after'].median():.1%} against {both['before'].median():.1%} in "
        f"donors; up in {up} of {len(both)}",
        value=float(both["difference"].median()),
        low=float(both["difference"].min()),
        high=float(both["difference"].max()),
        bound=f"up in >= {bounds['share_up']:.0%}",
        n=len(both),
    )


def memory_without_cytokine(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C21: memory-like share beyond `day` in an arm without added cytokine."""
    arm = evidence.arms.no_cytokine
    shares = _shares(evidence, "memory_like", arm)
    late = shares[shares["day"] > bounds["day"]] if len(shares) else shares
    if not len(late):
        return not_evaluable(f"no arm {arm} with samples beyond day {bounds['day']}")
    seen = late.groupby("patient")["fraction"].max()
    return judged(
        bool((seen > 0.01).mean() > 0.5),
        f"{int((seen > 0.01).sum())} of {len(seen)} patients have over 1 % memory-like cells after day {bounds['day']}",
        value=float(seen.median()),
        bound="> 1 % in more than half",
        n=len(seen),
    )


def diversity_course(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C22: inverse Simpson index, product against donor, and late blood against the product."""
    table = evidence.get("diversity")
    if not len(table):
        return not_evaluable("no diversity table")
    table = table[(table["arm"] == evidence.arms.treated) & table["inverse_simpson"].notna()]
    table = table[table["modality"] == table["modality"].min()]
    donor, product = table["tissue_or_product"] == "donor", table["tissue_or_product"] == "product"
    late = (table["tissue_or_product"] == "blood") & (table["day"] >= bounds["late_day"])
    fall, back = (
        paired(table, "inverse_simpson", donor, after=product),
        paired(table, "inverse_simpson", product, after=late),
    )
    few = evidence.too_few(min(len(fall), len(back)), f"donor, product and blood from day {bounds['late_day']}")
    if few:
        return few
    down, up = int((fall["difference"] <= 0).sum()), int((back["difference"] > 0).sum())
    return judged(
        2 * down > len(fall) and 2 * up > len(back),
        f"product at or below donor in {down} of {len(fall)}, later above product in {up} of {len(back)}",
        value=float(fall["difference"].median()),
        bound="both in more than half",
        n=len(fall),
    )


def diversity_outcome(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C23: needs relapse per patient after a cord-blood transplant."""
    patients = evidence.get("patients")
    if "relapse" not in patients or "transplant" not in patients or not (patients["transplant"] == "cord").any():
        return not_evaluable("needs columns relapse (yes/no) and transplant (cord) in the patients sheet")
    shares = _shares(evidence, "CD56bright")
    if not len(shares):
        return not_evaluable("no cell was named CD56bright")
    share = shares[shares["day"] > 0].groupby("patient")["fraction"].mean()
    relapse = patients.set_index("patient")["relapse"].reindex(share.index)
    yes, no = share[relapse == "yes"].to_numpy(), share[relapse == "no"].to_numpy()
    if not len(yes) or not len(no):
        return not_evaluable("needs patients with and without relapse")
    auc = float((yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean())
    return judged(
        auc > 0.5,
        f"area under the curve {auc:.2f}; immature share above {bounds['cut']:.1%} in "
        f"{int((yes >= bounds['cut']).sum())} of {len(yes)} with and {int((no >= bounds['cut']).sum())} of {len(no)} "
        "without relapse",
        value=auc,
        bound="> 0.5",
        n=len(yes) + len(no),
    )
