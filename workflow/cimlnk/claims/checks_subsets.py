"""Claims about named subsets (C15, C18–C21)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.stats.one_sided import rise

from .chance import Grid
from .evidence import Evidence, Verdict, not_evaluable
from .finding import Arrays, Decided, all_of, each_modality, find, logit, risen, sides, unlogit

Floats = NDArray[np.float64]
LEAST_CELLS = 20  # of a population in a sample, for a share among them


def shares_of(evidence: Evidence, population: str, arm: str, *, modality: str) -> pd.DataFrame | Verdict:
    """The population's shares in the samples of an arm, or why the claim cannot be evaluated."""
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    shares = evidence.shares(population, arm, modality)
    if not len(shares):
        return not_evaluable(f"no cell of arm {arm} was named {population}", arm=arm)
    return shares


def _rise_over_donors(
    evidence: Evidence,
    name: str,
    population: str,
    *,
    bounds: Mapping[str, Any],
    days: tuple[float, float],
    donors: tuple[float, float],
    after_above: float = 0.0,
) -> Verdict:
    """Shares in blood of `days` above the patient's own donor: enough patients, and by sign flips.

    The donors' median has to lie inside `donors`, and the median after infusion above `after_above`.
    """
    arm = evidence.arms.treated

    def of(modality: str) -> Verdict:
        shares = shares_of(evidence, population, arm, modality=modality)
        if isinstance(shares, Verdict):
            return shares
        wanted = {"donor": evidence.side(shares, "donor"), "blood": evidence.side(shares, "blood", days)}
        end = "on" if np.isinf(days[1]) else f"to {days[1]:.0f}"
        what = f"a donor and blood of days {days[0]:.0f} {end}"
        grid = sides(evidence, shares, wanted, scale=logit, reference="donor", what=what)
        if isinstance(grid, Verdict):
            return grid

        def decide(given: Arrays) -> Decided:
            before, after = given["share"][..., 0], given["share"][..., 1]
            middle = unlogit(np.median(before, axis=1))
            conditions = [
                (middle >= donors[0]) & (middle <= donors[1]),
                (after > before).mean(axis=1) >= bounds["share_up"] - 0.005,
                risen(after - before, bounds["least_odds"]),
                unlogit(np.median(after, axis=1)) > after_above,
            ]
            return all_of(conditions, [rise(after - before, seed=evidence.seed)], bounds["p"])

        before, after = unlogit(grid.values[:, 0]), unlogit(grid.values[:, 1])
        change = grid.values[:, 1] - grid.values[:, 0]
        asked = [
            f"up in >= {bounds['share_up']:.0%}", f"odds >= {bounds['least_odds']:g}-fold in the median patient",
            f"p <= {bounds['p']:g}",
        ]  # fmt: skip
        if donors != (0.0, 1.0):
            asked.insert(0, f"donors {donors[0]:.0%} to {donors[1]:.0%}")
        if after_above:
            asked.insert(1, f"after > {after_above:.0%}")
        return find(
            evidence, name, {"share": grid}, decide=decide,
            why=f"median share in donors {np.median(before):.1%}, days {days[0]:.0f} {end} {np.median(after):.1%}; up "
            f"in {int((change > 0).sum())} of {len(change)}, odds {np.exp(np.median(change)):.2g}-fold in the median "
            f"patient, sign flips p {rise(change[None]).p[0]:.3g}",
            value=float(np.median(after - before)), low=float((after - before).min()),
            high=float((after - before).max()),
            bound=", ".join(asked), n=len(change), arm=arm, modality=modality, level=bounds["p"],
        )  # fmt: skip

    return each_modality(evidence, of)


def cd56bright(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C15: share in donors inside the known range, and higher in blood after infusion."""
    days, donors = (bounds["from_day"], bounds["to_day"]), (bounds["baseline_low"], bounds["baseline_high"])
    return _rise_over_donors(evidence, "C15", "CD56bright", bounds=bounds, days=days, donors=donors)


def memory_share(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C18: memory-like share, small in donors; after infusion above the donors' own and above the range of donors."""
    days, high = (bounds["from_day"], bounds["to_day"]), bounds["donor_high"]
    return _rise_over_donors(
        evidence, "C18", "memory_like", bounds=bounds, days=days, donors=(0.0, high), after_above=high
    )


def memory_persists(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C20: memory-like share on late days above the patient's own donor."""
    return _rise_over_donors(
        evidence, "C20", "memory_like", bounds=bounds, days=(bounds["from_day"], np.inf), donors=(0.0, 1.0)
    )


def memory_not_adaptive(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C19: NKG2C+ share among memory-like cells, less the background, small and below that of the other NK cells.

    Background is the share in the population with the fewest NKG2C+ cells: what a threshold calls positive although
    it carries none. Without adaptive cells in the cohort nothing could overlap, and the claim says nothing.
    """
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)

    def of(modality: str) -> Verdict:
        feature = "KLRC2" if modality == "rna" else "NKG2C"
        state, samples = evidence.get(f"state_{modality}"), evidence.get("samples")
        if not len(state) or not (state["feature"] == feature).any():
            return not_evaluable(f"{feature} was not measured")
        rows = state[(state["feature"] == feature) & state["fraction_positive"].notna()]
        rows = rows.merge(samples.loc[samples["arm"] == arm, ["sample", "patient", "day"]], on="sample")
        rows = evidence.uncensored(rows)
        rows = rows.assign(positive=rows["fraction_positive"] * rows["n_cells"])
        memory = rows[(rows["population"] == "memory_like") & (rows["n_cells"] >= LEAST_CELLS)].set_index("sample")
        whole = rows[rows["population"] == NK].set_index("sample").reindex(memory.index)
        others = whole["n_cells"] - memory["n_cells"]
        usable = others >= LEAST_CELLS
        if not usable.any():
            return not_evaluable(
                f"no sample with {LEAST_CELLS} memory-like and {LEAST_CELLS} other cells and {feature}"
            )
        memory, whole, others = memory[usable], whole[usable], others[usable]
        rest = ((whole["positive"] - memory["positive"]) / others).clip(0, 1)
        named = rows[~rows["population"].isin([NK, UNASSIGNED, "memory_like", "adaptive"])]
        sums = named.groupby("population")[["positive", "n_cells"]].sum()
        sums = sums[sums["n_cells"] >= 5 * LEAST_CELLS]
        background = float((sums["positive"] / sums["n_cells"]).min()) if len(sums) else 0.0
        if float(np.median(rest)) - background < bounds["least_others"]:
            return not_evaluable(
                f"only {np.median(rest):.1%} of the other NK cells carry {feature} (background {background:.1%}): too "
                "few to be distinguished from",
            )  # fmt: skip
        wide = (
            pd.DataFrame(
                {"rest": logit(rest), "memory": logit(memory["fraction_positive"]), "patient": memory["patient"]}
            )
            .groupby("patient")
            .mean()
        )
        few = evidence.too_few(len(wide), f"memory-like cells with {feature}")
        if few:
            return few
        grid = Grid(wide[["rest", "memory"]].to_numpy(float), tuple(map(str, wide.index)), ("rest", "memory"), (0,))

        def overlap(values: Floats) -> Floats:
            return np.clip((unlogit(values) - background) / (1 - background), 0, 1).mean(axis=-1)

        def decide(given: Arrays) -> Decided:
            v = given["share"]
            less = rise(v[..., 0] - v[..., 1], seed=evidence.seed)
            return all_of([overlap(v[..., 1]) < bounds["overlap"]], [less], bounds["p"])

        v = grid.values
        less = rise((v[:, 0] - v[:, 1])[None])
        return find(
            evidence, "C19", {"share": grid}, decide=decide,
            why=f"{feature}+ {unlogit(v[:, 1]).mean():.1%} of memory-like, {unlogit(v[:, 0]).mean():.1%} of the other "
            f"NK cells of the same samples, background {background:.1%}; less in {int((v[:, 1] < v[:, 0]).sum())} of "
            f"{len(v)} patients (sign flips p {less.p[0]:.3g}). An upper bound: adaptive also means CD57+",
            value=float(overlap(v[:, 1])), n=len(v), arm=arm, modality=modality, level=bounds["p"],
            bound=f"overlap above background < {bounds['overlap']:.0%}, less than other NK cells, p <= {bounds['p']:g}",
        )  # fmt: skip

    return each_modality(evidence, of)


def memory_without_cytokine(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C21: in an arm without cytokine, the memory-like share after `day` lies above the patient's own donor.

    Where no donor was measured, above `donor_high`, the upper end of what healthy donors have.
    """
    arm = evidence.arms.no_cytokine

    def of(modality: str) -> Verdict:
        shares = shares_of(evidence, "memory_like", arm, modality=modality)
        if isinstance(shares, Verdict):
            return shares
        late = evidence.side(shares, "blood", (bounds["day"] + 1, np.inf))
        if not late.any():
            last = shares.loc[evidence.side(shares, "blood"), "day"].max()
            seen = f"last day {last:.0f}" if np.isfinite(last) else "no blood after infusion"
            return not_evaluable(f"no sample of arm {arm} beyond day {bounds['day']} ({seen})", arm=arm)
        donor = evidence.side(shares, "donor")
        if donor.any():
            grid = sides(
                evidence, shares, {"donor": donor, "late": late}, scale=logit, reference="donor",
                what=f"a donor and blood after day {bounds['day']}",
            )  # fmt: skip
            if isinstance(grid, Verdict):
                return grid
            than = "the patient's own donor"
        else:
            each = (
                pd.Series(logit(shares.loc[late, "value"]), index=shares.loc[late, "patient"]).groupby(level=0).mean()
            )
            few = evidence.too_few(len(each), f"blood after day {bounds['day']}")
            if few:
                return few
            limit = np.full(len(each), float(logit(np.array(bounds["donor_high"]))))
            grid = Grid(
                np.column_stack([limit, each.to_numpy(float)]), tuple(map(str, each.index)), ("donor", "late"), (0,)
            )
            than = f"{bounds['donor_high']:.0%}, the most that donors have (no donor was measured)"

        def decide(given: Arrays) -> Decided:
            change = given["share"][..., 1] - given["share"][..., 0]
            conditions = [(change > 0).mean(axis=1) > 0.5, risen(change, bounds["least_odds"])]
            return all_of(conditions, [rise(change, seed=evidence.seed)], bounds["p"])

        v = grid.values
        change = v[:, 1] - v[:, 0]
        return find(
            evidence, "C21", {"share": grid}, decide=decide,
            why=f"after day {bounds['day']} {np.median(unlogit(v[:, 1])):.1%} are memory-like; above {than} in "
            f"{int((change > 0).sum())} of {len(change)}, odds {np.exp(np.median(change)):.2g}-fold in the median "
            f"patient (sign flips p {rise(change[None]).p[0]:.3g})",
            value=float(np.median(unlogit(v[:, 1]))), n=len(v), arm=arm, modality=modality, level=bounds["p"],
            bound=f"above {than}, odds >= {bounds['least_odds']:g}-fold in the median patient, p <= {bounds['p']:g}",
        )  # fmt: skip

    return each_modality(evidence, of)
