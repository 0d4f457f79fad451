"""Pairs of values: what two modalities say of the same subset of the same patient on the same day."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK, UNASSIGNED

from .tables import AGREEMENT_PAIRS

DAY = ["patient", "day", "tissue_or_product"]
WHOLE = "whole:"  # before the name of a subset that stands for all that refine it, too


def matched(abundance: pd.DataFrame, folds: pd.DataFrame, *, one: str = "cytof", other: str = "rna") -> pd.DataFrame:
    """Fractions (percent) and log2 folds of patient-days measured in both modalities.

    Parameters
    ----------
    abundance, folds
        ABUNDANCE and FOLDS with both modalities. Subsets not seen on a day have no row there in one modality only if
        they were not named at all; a named subset without cells has a fraction of 0. Rows with population
        ``whole:<name>`` (:func:`whole`) become the measure ``fraction_whole``.

    Returns
    -------
    DataFrame
        AGREEMENT_PAIRS.
    """
    named = ~abundance["population"].isin([NK, UNASSIGNED])
    shares = abundance[named & abundance["fraction"].notna()].assign(value=lambda t: 100 * t["fraction"])
    is_whole = shares["population"].str.startswith(WHOLE)
    usable = (folds["fold_change"] > 0) & (folds["day"] != folds["baseline_day"]) & (folds["population"] != UNASSIGNED)
    ratios = folds[usable & (folds["population"] != NK)].assign(
        value=lambda t: np.log2(t["fold_change"]), tissue_or_product="blood"
    )
    parts = []
    wholes = shares[is_whole].assign(population=lambda t: t["population"].str.removeprefix(WHOLE))
    for measure, table in (("fraction", shares[~is_whole]), ("fraction_whole", wholes), ("log2_fold", ratios)):
        wide = table.pivot_table(index=["population", *DAY], columns="modality", values="value", aggfunc="mean")
        for modality in (one, other):
            if modality not in wide:
                wide[modality] = np.nan
        parts.append(wide[[one, other]].dropna().reset_index().assign(measure=measure))
    pairs = pd.concat(parts, ignore_index=True).rename(columns={one: "value_one", other: "value_other"})
    pairs = pairs.assign(one=one, other=other, feature_one=None, feature_other=None)
    return AGREEMENT_PAIRS.check(pairs.rename_axis(columns=None))


def whole(abundance: pd.DataFrame, refines: Mapping[str, Collection[str]]) -> pd.DataFrame:
    """Shares of subsets together with all that refine them, as further rows with population ``whole:<name>``.

    A panel that lacks a marker gives the less specific name to the same cells: only these shares are then comparable.

    Parameters
    ----------
    abundance
        Columns modality, sample, patient, day, tissue_or_product, population, fraction.
    refines
        Name -> the more specific names under it.
    """
    keys = ["modality", "sample", *DAY]
    parts = []
    for name, finer in refines.items():
        rows = abundance[abundance["population"].isin({name, *finer}) & abundance["fraction"].notna()]
        total = rows.groupby(keys, sort=True)["fraction"].sum().reset_index()
        parts.append(total.assign(population=WHOLE + name))
    return pd.concat([abundance, *parts], ignore_index=True)


def matched_features(
    protein: pd.DataFrame,
    rna: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    genes: Mapping[str, str],
    min_cells: int = 20,
    one: str = "cytof",
) -> pd.DataFrame:
    """Mean protein and mean RNA of the same named subset on the same patient-day.

    Parameters
    ----------
    protein, rna
        STATE of the two modalities.
    genes
        Protein -> gene that encodes it (or makes it, as B3GAT1 makes CD57).
    min_cells
        Fewest cells of the subset in each of the two samples.
    one
        Which modality the proteins are of.

    Returns
    -------
    DataFrame
        AGREEMENT_PAIRS with measure ``protein_rna``.
    """
    of_sample = samples[["sample", *DAY]]
    pairing = pd.DataFrame({"feature_one": list(genes), "feature_other": list(genes.values())}, dtype=object)

    def means(state: pd.DataFrame, feature: str, value: str) -> pd.DataFrame:
        keep = ~state["population"].isin([NK, UNASSIGNED]) & (state["n_cells"] >= min_cells)
        table = state[keep & state["feature"].isin(pairing[feature])].merge(of_sample, on="sample")
        grouped = table.groupby(["population", "feature", *DAY], sort=True)["mean"].mean()
        return grouped.rename(value).reset_index().rename(columns={"feature": feature})

    left = means(protein, "feature_one", "value_one").merge(pairing, on="feature_one")
    both = left.merge(means(rna, "feature_other", "value_other"), on=["population", "feature_other", *DAY])
    both = both.sort_values(["feature_one", "population", *DAY], kind="stable")
    return AGREEMENT_PAIRS.check(both.assign(one=one, other="rna", measure="protein_rna"))
