"""Claims about the design: patients, dose, IL-2 (C02–C04), and the design of the lymphoma trial (C28)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cimlnk.cohort.words import count

from .evidence import Evidence, Verdict, judged, not_evaluable


def patients(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C02: number of CIML patients with a count before and after infusion, and their diseases."""
    arm = evidence.arms.treated
    treated = evidence.patients_of(arm)
    if not len(treated):
        return evidence.without_arm(arm)
    if "disease" not in treated or treated["disease"].isna().all():
        return not_evaluable(f"the patients sheet gives no disease of arm {arm}", arm=arm)
    folds = evidence.folds_of(arm)
    evaluable = int(folds.loc[folds["day"] > 0, "patient"].nunique()) if len(folds) else 0
    diseases = treated["disease"].value_counts().to_dict()
    ok = evaluable == bounds["patients"] and diseases == dict(bounds["diseases"])
    seen = ", ".join(f"{k} {v}" for k, v in sorted(diseases.items()))
    return judged(
        ok,
        f"{evaluable} patients with a fold; diseases: {seen}",
        value=float(evaluable),
        bound=f"{bounds['patients']} patients; " + ", ".join(f"{k} {v}" for k, v in bounds["diseases"].items()),
        n=len(treated),
        arm=arm,
    )


def dose(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C03: dose per kg of every treated patient."""
    arm = evidence.arms.treated
    treated = evidence.patients_of(arm)
    if not len(treated):
        return evidence.without_arm(arm)
    doses = treated["dose_per_kg"].dropna()
    if not len(doses):
        return not_evaluable(f"no dose_per_kg of arm {arm} in the patients sheet", arm=arm)
    inside = doses.between(bounds["low"], bounds["high"])
    return judged(
        bool(inside.all()),
        f"{int(inside.sum())} of {len(doses)} doses inside",
        value=float(doses.median()),
        low=float(doses.min()),
        high=float(doses.max()),
        bound=f"{bounds['low']:,.0f} to {bounds['high']:,.0f} cells/kg",
        n=len(doses),
        arm=arm,
    )


def il2(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C04: doses planned for all, and the one patient who received fewer."""
    arm = evidence.arms.treated
    treated = evidence.patients_of(arm)
    if not len(treated):
        return evidence.without_arm(arm)
    treated = treated.dropna(subset=["il2_planned", "il2_received"])
    if not len(treated):
        return not_evaluable(f"no IL-2 doses of arm {arm} in the patients sheet", arm=arm)
    fewer = treated[treated["il2_received"] < treated["il2_planned"]]
    least = float(treated["il2_received"].min())
    all_of = f"all {len(treated)} patients" if len(treated) > 1 else "the one patient"
    ok = (
        bool((treated["il2_planned"] == bounds["planned"]).all())
        and len(fewer) == bounds["received_less"]
        and least == bounds["received_least"]
    )
    return judged(
        ok,
        f"{count(len(fewer), 'patient')} received fewer than planned: {', '.join(fewer['patient'])}"
        if len(fewer)
        else f"{all_of} received what was planned",
        value=least,
        low=least,
        high=float(treated["il2_received"].max()),
        bound=f"{bounds['planned']} planned; {bounds['received_less']} patient with {bounds['received_least']}",
        n=len(treated),
        arm=arm,
    )


def lymphoma_design(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C28: one infusion of the dose without cytokine, products that may be released, and the responses seen."""
    arm = evidence.arms.no_cytokine
    table = evidence.get("patients")
    treated = table[table["arm"] == arm] if len(table) else table
    if not len(treated):
        return not_evaluable(f"no patients of arm {arm} in the patients sheet")
    release = evidence.get("release")
    products = release[release["arm"] == arm] if len(release) else release
    if not len(products):
        return not_evaluable(f"no product file of arm {arm}")
    if (products["decision"] == "not decided").all():
        return not_evaluable(f"no purity of any product: {products['reason'].iloc[0]}")
    pure = int((products["purity"] >= bounds["purity"]).sum())
    dosed = int((treated["dose_per_kg"] == bounds["dose"]).sum())
    alone = int((treated["il2_received"].fillna(0) == 0).sum())
    parts = [
        (len(treated) == bounds["patients"], f"{len(treated)} patients"),
        (dosed == len(treated), f"{dosed} with {bounds['dose']:.0e} cells/kg"),
        (alone == len(treated), f"{alone} without IL-2"),
        (pure == len(products), f"{pure} of {len(products)} products with {bounds['purity']:.0%} NK cells or more"),
    ]
    if "response" in treated and treated["response"].notna().any():
        seen = treated["response"].value_counts()
        complete, stable = int(seen.get("CR", 0)), int(seen.get("SD", 0))
        parts.append((complete == bounds["complete"] and stable == bounds["stable"], f"{complete} CR and {stable} SD"))
    else:
        parts.append((True, "responses not given"))
    return judged(
        all(ok for ok, _ in parts),
        "; ".join(words for _, words in parts),
        value=float(products["purity"].min()),
        low=float(products["purity_low"].min()),
        high=float(products["purity_high"].max()),
        bound=f"{bounds['patients']} patients, {bounds['dose']:.0e}/kg, no IL-2, purity >= {bounds['purity']:.0%}, "
        f"{bounds['complete']} CR and {bounds['stable']} SD",
        n=len(treated),
        arm=arm,
    )
