"""Claims about markers (C10–C14, C16)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.stats.one_sided import rise

from .chance import Grid
from .evidence import Evidence, Verdict, judged, not_evaluable
from .finding import Arrays, Decided, all_of, find, logit, risen, sides, unlogit

Floats = NDArray[np.float64]


def donor_identity(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C10: samples of one donor are nearer to each other than to other donors' (nearest-neighbour accuracy)."""
    table = evidence.get("tests")
    table = table[table["test"] == "donor_identity"] if len(table) else table
    if not len(table):
        return not_evaluable("no distances between samples (receptors not in the panel, or one sample per donor)")
    # The inherited receptors carry the donor; activation moves the others.
    inherited = table[table["feature"] == "donor_receptors"]
    row = (inherited if len(inherited) else table).iloc[0]
    told: dict[str, Any] = {"n": int(row["n_patients"]), "modality": row.get("modality", "cytof")}
    if not np.isfinite(row["p"]):
        return not_evaluable(f"donor identity could not be tested: {row['reason']}", **told)
    floor = float(row["p_floor"])
    told.update(value=float(row["effect"]), low=float(row["effect_low"]), high=float(row["effect_high"]))
    told.update(bound=f"more than chance, p <= {bounds['p']:g}", p=float(row["p"]), p_attainable=floor)
    why = (
        f"the nearest other sample is of the same donor in {row['effect']:.0%} (receptors: {row['feature']}), "
        f"permutation p {row['p']:.3f} (donors exchanged within arm, time point and batch)"
    )
    if floor > bounds["p"]:
        return not_evaluable(f"{why}; with these donors p cannot be below {floor:.3g}", **told)
    # A permutation test rejects in as many nulls as there are whole steps of its floor below the level.
    chance = float(np.floor(bounds["p"] / floor + 1e-9) * floor)
    return judged(bool(row["p"] <= bounds["p"]), why, chance=min(chance, bounds["p"]), **told)


def nkg2a(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C11: NKG2A-positive share (protein) and KLRC1 mean (RNA) in vivo against the donor, in all that were measured."""
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    grids: dict[str, Grid] = {}
    parts, missing = [], []
    least = {evidence.protein(): bounds["least_odds"], "rna": float(np.exp(bounds["least_log"]))}
    for modality, feature, column, scale in (
        (evidence.protein(), "NKG2A", "fraction_positive", logit), ("rna", "KLRC1", "mean", np.asarray),
    ):  # fmt: skip
        table = evidence.states(modality, feature, column, arm=arm)
        if not len(table):
            missing.append(f"{feature} was not measured")
            continue
        wanted = {"donor": evidence.side(table, "donor"), "vivo": evidence.side(table, "blood", (7, 60))}
        grid = sides(
            evidence, table, wanted, scale=scale, reference="donor", what=f"{feature} in a donor and on days 7 to 60"
        )
        if isinstance(grid, Verdict):
            missing.append(grid.why)
            continue
        grids[modality] = grid
        change = grid.values[:, 1] - grid.values[:, 0]
        typical = np.exp(np.median(change))
        parts.append(
            f"{feature} up in {int((change > 0).sum())} of {len(change)}, {typical:.2g}-fold in the median patient "
            f"(sign flips p {rise(change[None]).p[0]:.3g})"
        )
    if not grids:
        return not_evaluable("; ".join(missing), arm=arm)

    def decide(of: Arrays) -> Decided:
        conditions, tests = [], []
        for modality, values in of.items():
            change = values[..., 1] - values[..., 0]
            conditions.append((change > 0).mean(axis=1) >= bounds["share_up"] - 0.005)
            conditions.append(risen(change, least[modality]))
            tests.append(rise(change, seed=evidence.seed))
        return all_of(conditions, tests, bounds["p"])

    ups = [float((g.values[:, 1] > g.values[:, 0]).mean()) for g in grids.values()]
    return find(
        evidence, "C11", grids, decide=decide,
        why="; ".join([*parts, *missing]) + " (mean of days 7 to 60 against the donor)",
        value=min(ups), n=min(len(g.patients) for g in grids.values()), arm=arm, modality=", ".join(grids),
        bound=f"up in >= {bounds['share_up']:.0%}, odds >= {bounds['least_odds']:g}-fold (mean log expression "
        f"+{bounds['least_log']:g}) in the median patient, p <= {bounds['p']:g}, in every modality measured",
        level=bounds["p"],
    )  # fmt: skip


def _log_counts(arcsinh: Floats, *, cofactor: float) -> Floats:
    """Log2 of ion counts, one added so that ratios of medians near zero stay finite."""
    return np.asarray(np.log2(cofactor * np.sinh(np.clip(arcsinh, 0, None)) + 1))


def product_activation(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C12: median ion counts of CD25 and CD69, product and later day over donor."""
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    grids: dict[str, Grid] = {}
    for feature in ("CD25", "CD69"):
        table = evidence.states(evidence.protein(), feature, "median", arm=arm)
        if not len(table):
            return not_evaluable(f"{feature} was not measured as protein", arm=arm)
        later = evidence.side(table, "blood", (bounds["later_day"], bounds["later_day"]))
        wanted = {"donor": evidence.side(table, "donor"), "product": evidence.side(table, "product"), "later": later}
        grid = sides(
            evidence, table, wanted, scale=partial(_log_counts, cofactor=evidence.cofactors.get(feature, 5.0)),
            reference="donor", what=f"{feature} in donor, product and on day {bounds['later_day']}",
        )  # fmt: skip
        if isinstance(grid, Verdict):
            return grid
        grids[feature] = grid

    def ratios(values: Floats) -> tuple[Floats, Floats]:
        over = 2.0 ** (values - values[..., :1])
        return np.median(over[..., 1], axis=-1), np.median(over[..., 2], axis=-1)

    def decide(of: Arrays) -> Decided:
        conditions = []
        for values in of.values():
            up, back = ratios(values)
            conditions += [up > bounds["product_ratio"], back < bounds["later_ratio"]]
        return all_of(conditions)

    seen = {k: [float(v) for v in ratios(g.values)] for k, g in grids.items()}
    words = [f"{k}: product/donor {up:.1f}, D{bounds['later_day']}/donor {d:.1f}" for k, (up, d) in seen.items()]
    return find(
        evidence, "C12", grids, decide=decide, why="; ".join(words) + " (median ion counts + 1)",
        value=min(v[0] for v in seen.values()), n=min(len(g.patients) for g in grids.values()), arm=arm,
        bound=f"product/donor > {bounds['product_ratio']:g} and later/donor < {bounds['later_ratio']:g}",
        modality=evidence.protein(),
    )  # fmt: skip


def proliferation(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C13: Ki-67-positive share by day."""
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    table = evidence.states(evidence.protein(), "Ki-67", "fraction_positive", arm=arm)
    if not len(table):
        return not_evaluable("Ki-67 was not measured as protein, or has no threshold", arm=arm)
    before, after = evidence.side(table, "before"), evidence.side(table, "blood")
    rows = table[before | after].assign(slot=np.where(before, -1, table["day"])[before | after])
    rows["value"] = logit(rows["value"])
    wide = rows.pivot_table(index="patient", columns="slot", values="value", aggfunc="mean")
    days = np.array([int(c) for c in wide.columns])
    peaks = (days >= bounds["peak_from"]) & (days <= bounds["peak_to"])
    late = days >= bounds["late_day"]
    if not peaks.any() or not late.any():
        return not_evaluable(
            f"no blood between days {bounds['peak_from']} and {bounds['peak_to']}, or none on or after day "
            f"{bounds['late_day']}", arm=arm,
        )  # fmt: skip
    few = evidence.too_few(len(wide), "Ki-67 in blood", arm=arm)
    if few:
        return few
    grid = Grid(
        wide.to_numpy(float), tuple(map(str, wide.index)), tuple(map(int, days)), tuple(np.flatnonzero(days < 0))
    )

    def decide(of: Arrays) -> Decided:
        course = unlogit(np.nanmedian(of["share"], axis=1))
        inside = np.where(peaks, course, -1).max(axis=1)
        highest = np.where(days > 0, course, -1).max(axis=1)
        last = np.where(late, course, -1).max(axis=1)
        return all_of([inside > bounds["peak"], inside >= highest, last < bounds["late"]])

    course = unlogit(np.nanmedian(grid.values, axis=0))
    named = ", ".join(f"{'before' if d < 0 else f'D{d}'} {v:.0%}" for d, v in zip(days, course, strict=True))
    return find(
        evidence, "C13", {"share": grid}, decide=decide, why=f"median Ki-67+ share: {named}",
        value=float(course[days > 0].max()), n=len(wide), arm=arm, modality=evidence.protein(),
        bound=f"> {bounds['peak']:.0%} on days {bounds['peak_from']}-{bounds['peak_to']}, "
        f"< {bounds['late']:.0%} from day {bounds['late_day']}",
    )  # fmt: skip


def cd56_cd16(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C14: median CD56 up and CD16+ share down on the early day, and back towards the baseline on the late day."""
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    grids: dict[str, Grid] = {}
    signs = {"CD56": 1.0, "CD16": -1.0}
    for feature, column in (("CD56", "median"), ("CD16", "fraction_positive")):
        table = evidence.states(evidence.protein(), feature, column, arm=arm)
        if not len(table):
            return not_evaluable(f"{feature} was not measured as protein", arm=arm)
        soon, then = ((bounds[d], bounds[d]) for d in ("early_day", "late_day"))
        wanted = {
            "before": evidence.side(table, "before"), "early": evidence.side(table, "blood", soon),
            "late": evidence.side(table, "blood", then),
        }  # fmt: skip
        what = f"{feature} before, on day {bounds['early_day']} and on day {bounds['late_day']}"
        scale = logit if column == "fraction_positive" else np.asarray
        grid = sides(evidence, table, wanted, scale=scale, reference="before", what=what)
        if isinstance(grid, Verdict):
            return grid
        grids[feature] = grid

    def tests(of: Arrays) -> dict[str, Any]:
        found = {}
        for feature, sign in signs.items():
            values = sign * of[feature]
            early, late = values[..., 1] - values[..., 0], values[..., 2] - values[..., 0]
            found[f"{feature} moved"] = rise(early, seed=evidence.seed)
            found[f"{feature} recovered"] = rise(np.abs(early) - np.abs(late), seed=evidence.seed)
        return found

    def decide(of: Arrays) -> Decided:
        return all_of([], list(tests(of).values()), bounds["p"])

    seen = tests({k: g.values[None] for k, g in grids.items()})
    words = []
    for feature, sign in signs.items():
        mine = sign * grids[feature].values
        early, late = (mine[:, i] - mine[:, 0] for i in (1, 2))
        words.append(
            f"{feature} {'up' if sign > 0 else 'down'} in {int((early > 0).sum())}, nearer to before later in "
            f"{int((np.abs(late) < np.abs(early)).sum())} of {len(early)} (p {seen[f'{feature} moved'].p[0]:.3g}, "
            f"{seen[f'{feature} recovered'].p[0]:.3g})"
        )
    return find(
        evidence, "C14", grids, decide=decide, why="; ".join(words), bound=f"all four p <= {bounds['p']:g}", arm=arm,
        n=min(len(g.patients) for g in grids.values()), modality=evidence.protein(), level=bounds["p"],
    )  # fmt: skip


def recall_function(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C16: over the CD56dim populations of a sample, IFN-gamma goes with the markers of memory-like cells."""
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    state, samples = evidence.get(f"state_{evidence.protein()}"), evidence.get("samples")
    if not len(state) or not (state["feature"] == "IFNg").any():
        return not_evaluable("IFN-g after restimulation (marker IFNg) was not measured", arm=arm)
    wanted = {"CD94": 1, "NKG2A": 1, "NKG2C": 1, "CD69": 1, "CD57": -1, "KIR2DL1": -1, "KIR2DL2_3": -1, "KIR3DL1": -1}
    mine = samples[samples["arm"] == arm].set_index("sample")["patient"]
    keep = state["feature"].isin(["IFNg", *wanted]) & state["sample"].isin(mine.index)
    keep &= ~state["population"].isin([NK, UNASSIGNED, "CD56bright"])
    wide = state[keep].pivot_table(index=["sample", "population"], columns="feature", values="mean")
    present = [m for m in wanted if m in wide.columns]
    if "IFNg" not in wide or not present:
        return not_evaluable("no CD56dim population with IFN-g and one of CD94, NKG2A, NKG2C, CD69, CD57", arm=arm)
    rows: dict[str, list[list[float]]] = {}
    wide = wide[["IFNg", *present]].dropna()
    of_sample = wide.index.get_level_values("sample").to_numpy()
    table, starts = wide.to_numpy(float), np.flatnonzero(np.r_[True, of_sample[1:] != of_sample[:-1]])
    sizes = []
    for sample, part in zip(of_sample[starts], np.split(table, starts[1:]), strict=True):
        if len(part) >= 4:
            ranks = stats.rankdata(part, axis=0)
            ranks -= ranks.mean(axis=0)
            with np.errstate(invalid="ignore"):
                rho = ranks[:, 0] @ ranks[:, 1:] / np.sqrt((ranks[:, 0] ** 2).sum() * (ranks[:, 1:] ** 2).sum(axis=0))
            rows.setdefault(str(mine[sample]), []).append([wanted[m] * r for m, r in zip(present, rho, strict=True)])
            sizes.append(len(part))
    few = evidence.too_few(len(rows), "four CD56dim populations with IFN-g in a sample", arm=arm)
    if few:
        return few
    values = np.array([np.nanmean(r, axis=0) for r in rows.values()])
    values = np.nan_to_num(values)  # a marker without ranks (all alike) goes with nothing
    grid = Grid(values, tuple(rows), tuple(present))

    def decide(of: Arrays) -> Decided:
        return all_of([], [rise(of["rho"][..., i], seed=evidence.seed) for i in range(len(present))], bounds["p"])

    def null(count: int, random: np.random.Generator) -> dict[str, Floats]:
        return {"rho": random.normal(size=(count, *values.shape)) / np.sqrt(min(sizes) - 1)}

    words = ", ".join(f"{m} {wanted[m] * v:+.2f}" for m, v in zip(present, values.mean(axis=0), strict=True))
    return find(
        evidence, "C16", {"rho": grid}, decide=decide,
        why=f"rank correlation with IFN-g over the CD56dim populations of a sample, mean of {len(values)} patients: "
        f"{words}",
        null=null, n=len(values), arm=arm, modality=evidence.protein(), level=bounds["p"],
        bound=f"above 0 for CD94, NKG2A, NKG2C, CD69, below 0 for CD57 and KIR, each p <= {bounds['p']:g}",
    )  # fmt: skip
