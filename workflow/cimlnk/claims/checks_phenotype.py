"""Claims about markers (C09–C14, C16, C17)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng

from .compare import blocked_permutation, clr, paired
from .evidence import Evidence, Verdict, judged, not_evaluable


def composition(evidence: Evidence, tissue: tuple[str, ...]) -> pd.DataFrame:
    """Samples × populations of the treated arm as centred log-ratios, index patient, day, tissue."""
    table = evidence.fractions(evidence.arms.treated)
    if not len(table):
        return table
    table = table[table["tissue_or_product"].isin(tissue)]
    if not len(table):
        return table
    wide = table.pivot_table(
        index=["patient", "day", "tissue_or_product"], columns="population", values="fraction", aggfunc="mean"
    )
    return clr(wide.fillna(0.0))


def dynamic_phenotype(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C09: the composition in blood differs between days (labels shuffled within patients)."""
    logs = composition(evidence, ("blood",))
    if not len(logs):
        return not_evaluable("no composition of the treated arm in blood")
    days = logs.index.get_level_values("day").to_numpy()
    patients = logs.index.get_level_values("patient").to_numpy()
    if len(np.unique(days)) < 2 or len(np.unique(patients)) < 2:
        return not_evaluable("needs two days and two patients")
    share, p, floor = blocked_permutation(logs.to_numpy(), days, patients, rng=rng(evidence.seed, "C09"))
    both = composition(evidence, ("blood", "product"))
    product = both.xs("product", level="tissue_or_product").droplevel("day") if _has_product(both) else None
    course = ""
    if product is not None:
        blood = logs.droplevel("tissue_or_product")
        shared = blood[blood.index.get_level_values("patient").isin(product.index)]
        origin = product.loc[shared.index.get_level_values("patient")].to_numpy()
        distance = pd.Series(np.linalg.norm(shared.to_numpy() - origin, axis=1), index=shared.index)
        course = "; Aitchison distance from the product: " + ", ".join(
            f"D{d} {v:.1f}" for d, v in distance.groupby("day").median().items()
        )
    return judged(
        p < bounds["p"],
        f"days explain {share:.0%} of the composition's variation within patients, permutation p {p:.3f} "
        f"(floor {floor:.2g}){course}",
        value=p,
        bound=f"p < {bounds['p']:g}",
        n=len(np.unique(patients)),
    )


def _has_product(logs: pd.DataFrame) -> bool:
    return len(logs) > 0 and "product" in logs.index.get_level_values("tissue_or_product")


def donor_identity(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C10: samples of one donor are nearer to each other than to other donors' (nearest-neighbour accuracy)."""
    table = evidence.get("tests")
    table = table[table["test"] == "donor_identity"] if len(table) else table
    if not len(table):
        return not_evaluable("no repertoire (receptors not in the panel, or one sample per donor)")
    # The inherited receptors carry the donor; activation moves the others.
    inherited = table[table["feature"] == "donor_receptors"]
    row = (inherited if len(inherited) else table).iloc[0]
    if not np.isfinite(row["p"]):
        return not_evaluable(f"donor identity could not be computed: {row['reason']}")
    return judged(
        bool(row["p"] < bounds["p"]),
        f"the nearest other sample is of the same donor in {row['effect']:.0%} (receptors: {row['feature']}), "
        f"permutation p {row['p']:.3f} (floor {row['p_floor']:.2g})",
        value=float(row["effect"]),
        low=float(row["effect_low"]),
        high=float(row["effect_high"]),
        bound=f"more than chance, p < {bounds['p']:g}",
        n=int(row["n_patients"]),
    )


def _counts(arcsinh: pd.Series, cofactor: float = 5.0) -> pd.Series:
    """Ion counts from arcsinh values, plus one so that ratios of near-zero medians stay finite."""
    return cofactor * np.sinh(arcsinh.clip(lower=0)) + 1


def nkg2a(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C11: NKG2A-positive share (protein) and KLRC1 mean (RNA) in vivo against the donor."""
    parts, shares, n = [], [], 0
    for modality, feature, value in (("cytof", "NKG2A", "fraction_positive"), ("rna", "KLRC1", "mean")):
        table = evidence.state_of(modality, feature)
        if not len(table):
            continue
        table = table[table["arm"] == evidence.arms.treated]
        vivo = (table["tissue_or_product"] == "blood") & table["day"].between(7, 60)
        both = paired(table, value, table["tissue_or_product"] == "donor", after=vivo)
        if len(both) >= evidence.min_patients:
            up = float((both["difference"] > 0).mean())
            shares.append((both["difference"].median(), up))
            parts.append(f"{feature} up in {int((both['difference'] > 0).sum())} of {len(both)}")
            n = max(n, len(both))
    if not shares:
        return not_evaluable(
            f"needs donor and in-vivo samples of {evidence.min_patients} patients with NKG2A or KLRC1 measured"
        )
    return judged(
        all(m > 0 and up >= bounds["share_up"] for m, up in shares),
        "; ".join(parts) + " patients (mean of days 7 to 60 against the donor)",
        value=min(up for _, up in shares),
        bound=f"median difference > 0 and up in >= {bounds['share_up']:.0%}, in every modality measured",
        n=n,
    )


def product_activation(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C12: median ion counts of CD25 and CD69, product and later day over donor."""
    worst, latest, n, parts = np.inf, 0.0, 0, []
    for feature in ("CD25", "CD69"):
        table = evidence.state_of("cytof", feature)
        if not len(table):
            return not_evaluable(f"{feature} was not measured")
        table = table[table["arm"] == evidence.arms.treated]
        table = table.assign(intensity=_counts(table["median"]))
        donor, product = table["tissue_or_product"] == "donor", table["tissue_or_product"] == "product"
        later = (table["tissue_or_product"] == "blood") & (table["day"] == bounds["later_day"])
        fresh, back = paired(table, "intensity", donor, after=product), paired(table, "intensity", donor, after=later)
        few = evidence.too_few(min(len(fresh), len(back)), f"donor, product and day {bounds['later_day']}")
        if few:
            return few
        up = float((fresh["after"] / fresh["before"]).median())
        down = float((back["after"] / back["before"]).median())
        worst, latest, n = min(worst, up), max(latest, down), len(fresh)
        parts.append(f"{feature}: product/donor {up:.1f}, D{bounds['later_day']}/donor {down:.1f}")
    return judged(
        worst > bounds["product_ratio"] and latest < bounds["later_ratio"],
        "; ".join(parts) + " (median ion counts + 1)",
        value=worst,
        bound=f"product/donor > {bounds['product_ratio']:g} and later/donor < {bounds['later_ratio']:g}",
        n=n,
    )


def proliferation(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C13: Ki-67-positive share by day."""
    table = evidence.state_of("cytof", "Ki-67")
    if not len(table):
        return not_evaluable("Ki-67 was not measured")
    table = table[(table["arm"] == evidence.arms.treated) & (table["tissue_or_product"] == "blood")]
    course = table.groupby("day")["fraction_positive"].median()
    late = course[course.index >= bounds["late_day"]]
    if not len(course[course.index > 0]) or not len(late):
        return not_evaluable(f"needs blood after infusion and on or after day {bounds['late_day']}")
    peak_day = int(course[course.index > 0].idxmax())
    peak = float(course[peak_day])
    ok = (
        peak > bounds["peak"]
        and bounds["peak_from"] <= peak_day <= bounds["peak_to"]
        and float(late.max()) < bounds["late"]
    )
    return judged(
        ok,
        "median Ki-67+ share: " + ", ".join(f"D{d} {v:.0%}" for d, v in course.items()),
        value=peak,
        bound=f"> {bounds['peak']:.0%} on days {bounds['peak_from']}-{bounds['peak_to']}, "
        f"< {bounds['late']:.0%} from day {bounds['late_day']}",
        n=table["patient"].nunique(),
    )


def cd56_cd16(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C14: median CD56 up and CD16+ share down on the early day in most patients, nearer to before on the late day."""
    parts, ok, n = [], True, 0
    for feature, value, sign in (("CD56", "median", 1), ("CD16", "fraction_positive", -1)):
        table = evidence.state_of("cytof", feature)
        if not len(table):
            return not_evaluable(f"{feature} was not measured")
        table = table[(table["arm"] == evidence.arms.treated) & (table["tissue_or_product"] == "blood")]
        before = table["day"] < 0
        early = paired(table, value, before, after=table["day"] == bounds["early_day"])
        late = paired(table, value, before, after=table["day"] == bounds["late_day"])
        both = early.index.intersection(late.index)
        few = evidence.too_few(len(both), f"blood before, on D{bounds['early_day']} and on D{bounds['late_day']}")
        if few:
            return few
        moved = int((sign * early.loc[both, "difference"] > 0).sum())
        back = int((late.loc[both, "difference"].abs() < early.loc[both, "difference"].abs()).sum())
        ok &= 2 * moved > len(both) and 2 * back > len(both)
        n = len(both)
        parts.append(f"{feature} {'up' if sign > 0 else 'down'} in {moved}, recovered in {back} of {n}")
    return judged(ok, "; ".join(parts), bound="both in more than half of the patients", n=n)


def recall_function(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C16: needs a functional read-out per population, which no default panel has."""
    table = evidence.state_of("cytof", "IFNg")
    if not len(table):
        return not_evaluable("IFN-g after restimulation (marker IFNg) was not measured")
    wanted = {"CD94": 1, "NKG2A": 1, "NKG2C": 1, "CD69": 1, "CD57": -1}
    state = evidence.get("state_cytof")
    wide = state.pivot_table(index=["sample", "population"], columns="feature", values="mean")
    present = [m for m in wanted if m in wide.columns]
    rho = {m: float(wide["IFNg"].corr(wide[m], method="spearman")) for m in present}
    return judged(
        all(np.sign(rho[m]) == wanted[m] for m in present),
        "rank correlation of IFN-g with " + ", ".join(f"{m} {r:.2f}" for m, r in rho.items()),
        bound="positive for CD94, NKG2A, NKG2C, CD69; negative for CD57",
        n=int(table["patient"].nunique()),
    )


def cd8_outcome(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C17: CD8a+ share of donor NK in patients with and without response."""
    patients, table = evidence.get("patients"), evidence.state_of("cytof", "CD8a")
    if "response" not in patients or not len(table):
        return not_evaluable("needs the column response (yes/no) in the patients sheet and CD8a in the panel")
    donor = table[table["tissue_or_product"] == "donor"].groupby("patient")["fraction_positive"].mean()
    response = patients.set_index("patient")["response"].reindex(donor.index)
    yes, no = donor[response == "yes"], donor[response == "no"]
    if not len(yes) or not len(no):
        return not_evaluable("needs patients with and without response, with donor samples")
    return judged(
        float(no.median()) > float(yes.median()),
        f"median CD8a+ share {no.median():.0%} without, {yes.median():.0%} with response; sign only, n is small",
        value=float(no.median() - yes.median()),
        bound="> 0",
        n=len(yes) + len(no),
    )
