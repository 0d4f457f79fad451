"""Claims about the whole composition of NK cells (C09, C22)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng
from cimlnk.common.vocabulary import NK
from cimlnk.dynamics.repertoire.differential import thinned
from cimlnk.stats.centroids import groups_within_blocks
from cimlnk.stats.composition import clr
from cimlnk.stats.one_sided import rise

from .chance import Grid
from .evidence import Evidence, Verdict, not_evaluable
from .finding import Arrays, Decided, all_of, each_modality, find, sides

Floats = NDArray[np.float64]
PERMUTATIONS = 199
LEAST_CELLS = 50  # of a sample whose composition is compared


def dynamic_phenotype(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C09: the composition changes from the product onwards.

    Labels of product and days after infusion are shuffled within patients (and batches), once with the product and
    once without it, and the patients' mean distance from the product to day 28 (or the sampled day nearest to it) must
    exceed that of two technical replicates.
    """
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)

    def of(modality: str) -> Verdict:
        table = evidence.fractions(arm, modality)
        if not len(table):
            return not_evaluable("no composition of the treated arm")
        product, blood = evidence.side(table, "product"), evidence.side(table, "blood")
        rows = table[product | blood].assign(
            slot=np.where(product, "product", "D" + table["day"].astype(str))[product | blood]
        )
        # One depth: a day of shallow files would be another composition, because rare populations sink to nothing.
        cells = rows.pivot_table(index="sample", columns="population", values="n_cells", aggfunc="sum", fill_value=0.0)
        cells = thinned(cells.round().astype("int64"), LEAST_CELLS, evidence.seed)
        if not len(cells):
            return not_evaluable(f"no sample has {LEAST_CELLS} NK cells")
        depth = int(cells.iloc[0].sum())
        place = rows.drop_duplicates("sample").set_index("sample").loc[cells.index, ["patient", "slot"]]
        logs = pd.DataFrame(clr(cells.to_numpy(float) / depth), cells.index, cells.columns)
        mean = logs.groupby([place["patient"], place["slot"]]).mean()
        slots = sorted(set(mean.index.get_level_values("slot")) - {"product"}, key=lambda d: int(d[1:]))
        patients = sorted(set(mean.index.get_level_values("patient")))
        if "product" not in mean.index.get_level_values("slot"):
            return not_evaluable("no product was measured, from which the phenotype could evolve")
        few = evidence.too_few(len(patients), "a composition")
        if few:
            return few
        if len(slots) < 2:
            return not_evaluable("fewer than two days after infusion")
        every = ("product", *slots)
        none = np.full(mean.shape[1], np.nan)
        grid = Grid(
            np.array([[mean.loc[(p, s)].to_numpy() if (p, s) in mean.index else none for s in every]
                      for p in patients]), tuple(map(str, patients)), every,
        )  # fmt: skip
        known = np.isfinite(grid.values).all(axis=2)
        patient, slot = np.nonzero(known)
        batch = _batches(evidence, rows)
        block = np.array(
            [f"{patients[p]}\t{batch.get((patients[p], every[s]), '')}" for p, s in zip(patient, slot, strict=True)]
        )
        label = np.array(every, dtype=object)[slot]
        if not any(len(set(label[block == b])) > 1 for b in set(block)):
            return not_evaluable("every time point of a patient lies in a batch of its own: time and batch are one")
        middle = int(np.argmin([abs(int(s[1:]) - 28) for s in slots])) + 1
        replicate = _replicate_distance(evidence, table, modality, depth=depth)
        in_blood = label != "product"

        def decide(given: Arrays) -> Decided:
            x = given["clr"][:, patient, slot]
            both, _ = groups_within_blocks(x, label, block, permutations=PERMUTATIONS, seed=evidence.seed)
            later, _ = groups_within_blocks(
                x[:, in_blood], label[in_blood], block[in_blood], permutations=PERMUTATIONS, seed=evidence.seed
            )
            gone = np.linalg.norm(given["clr"][:, :, middle] - given["clr"][:, :, 0], axis=2)
            return all_of([np.nanmean(gone, axis=1) > replicate], [both, later], bounds["p"])

        x = grid.values[None, patient, slot]
        both, share = groups_within_blocks(x, label, block, permutations=PERMUTATIONS, seed=evidence.seed)
        later, _ = groups_within_blocks(
            x[:, in_blood], label[in_blood], block[in_blood], permutations=PERMUTATIONS, seed=evidence.seed
        )
        distance = np.linalg.norm(grid.values - grid.values[:, :1], axis=2)
        course = ", ".join(
            f"{s} {np.nanmedian(distance[:, i]):.1f}"
            for i, s in enumerate(every)
            if i and np.isfinite(distance[:, i]).any()
        )
        return find(
            evidence, "C09", {"clr": grid}, decide=decide,
            why=f"product and days explain {share[0]:.0%} of the composition's variation within patients, permutation "
            f"p {both.p[0]:.3g}, days after infusion alone p {later.p[0]:.3g}; Aitchison distance from the product: "
            f"{course} (two technical replicates: {replicate:.1f})",
            value=float(max(both.p[0], later.p[0])), n=len(patients), arm=arm, modality=modality, level=bounds["p"],
            bound=f"both p <= {bounds['p']:g}, {every[middle]} farther from the product than a replicate",
        )  # fmt: skip

    return each_modality(evidence, of)


def _batches(evidence: Evidence, rows: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Batches of each patient's slot."""
    samples = evidence.get("samples")
    if "batch" not in samples:
        return {}
    batch = rows["sample"].map(samples.set_index("sample")["batch"]).astype(str)
    return {key: ",".join(sorted(set(b))) for key, b in batch.groupby([rows["patient"], rows["slot"]])}


def _replicate_distance(evidence: Evidence, table: pd.DataFrame, modality: str, *, depth: int) -> float:
    """95th percentile of the Aitchison distance of two files of one patient, day and tissue.

    From repeated files where the cohort has them; else from two beta-binomial draws of every sample's own composition
    of `depth` cells (intraclass correlation 0.002, that of repeated tubes).
    """
    everything = evidence.get("abundance")
    mine = everything[(everything["modality"] == modality) & (everything["population"] != NK)]
    mine = mine[mine["fraction"].notna()]
    keys = ["patient", "day", "timepoint", "tissue_or_product"]
    repeated = mine.groupby(keys)["sample"].nunique()
    names = sorted(set(table["population"]))
    found: list[float] = []
    if (repeated > 1).sum() >= 3:
        wide = mine.pivot_table(
            index=[*keys, "sample"], columns="population", values="fraction", aggfunc="sum", fill_value=0.0
        )
        logs = pd.DataFrame(clr(wide.reindex(columns=names, fill_value=0.0).to_numpy(float)), wide.index)
        for _, part in logs.groupby(level=keys):
            if len(part) > 1:
                found.append(float(np.linalg.norm(part.iloc[0] - part.iloc[1])))
        return float(np.quantile(found, 0.95))
    random = rng(evidence.seed, "claims", "replicate", modality)
    wide = table.pivot_table(index="sample", columns="population", values="fraction", aggfunc="sum", fill_value=0.0)
    size = min(depth, 1.0 / 0.002)  # cells that are as good as independent
    for share in wide.to_numpy(float):
        pair = [random.dirichlet(np.maximum(share * size, 1e-3)) for _ in range(2)]
        found.append(float(np.linalg.norm(clr(pair[0]) - clr(pair[1]))))
    return float(np.quantile(found, 0.95))


def diversity_course(evidence: Evidence, bounds: Mapping[str, Any]) -> Verdict:
    """C22: inverse Simpson index, product against donor, and late blood against the product."""
    arm = evidence.arms.treated
    if not evidence.has_arm(arm):
        return evidence.without_arm(arm)
    table = evidence.diversities()
    table = table[table["arm"] == arm] if len(table) else table
    if not len(table):
        return not_evaluable("no sample of the treated arm has a diversity", arm=arm)

    def of(modality: str) -> Verdict:
        mine = table[table["modality"] == modality].rename(columns={"inverse_simpson": "value"})
        wanted = {
            "donor": evidence.side(mine, "donor"), "product": evidence.side(mine, "product"),
            "late": evidence.side(mine, "blood", (bounds["late_day"], np.inf)),
        }  # fmt: skip
        what = f"a diversity of donor, product and blood from day {bounds['late_day']}"
        grid = sides(
            evidence, mine, wanted, scale=lambda v: np.log2(np.asarray(v, float)), reference="donor", what=what
        )
        if isinstance(grid, Verdict):
            return grid

        def tests(values: Floats) -> list[Any]:
            fall, back = values[..., 0] - values[..., 1], values[..., 2] - values[..., 1]
            return [rise(fall, seed=evidence.seed), rise(back, seed=evidence.seed)]

        fall, back = tests(grid.values[None])
        v = grid.values
        return find(
            evidence, "C22", {"index": grid}, decide=lambda g: all_of([], tests(g["index"]), bounds["p"]),
            why=f"product below donor in {int((v[:, 1] < v[:, 0]).sum())} of {len(v)} (p {fall.p[0]:.3g}), later above "
            f"the product in {int((v[:, 2] > v[:, 1]).sum())} (p {back.p[0]:.3g})",
            value=float(2 ** np.median(v[:, 1] - v[:, 0])), n=len(v), arm=arm, modality=modality, level=bounds["p"],
            bound=f"both p <= {bounds['p']:g}; value is the median ratio of product to donor",
        )  # fmt: skip

    return each_modality(evidence, of, sorted(table["modality"].astype(str).unique()))
