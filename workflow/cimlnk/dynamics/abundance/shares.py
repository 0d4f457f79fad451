"""ABUNDANCE: share of NK cells and cells per microlitre of every population, sample by sample, with intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK, SAMPLE_KEYS
from cimlnk.stats.intervals import label_variance, product_limits, share_interval

from .counts import KEY, gate_log_sd, nk_per_ul, population_counts
from .tables import ABUNDANCE

ORDER = ["modality", "patient", "tissue_or_product", "day", "sample", "population"]


def make_abundance(
    populations: Mapping[str, pd.DataFrame],
    summaries: Mapping[str, pd.DataFrame],
    samples: pd.DataFrame,
    *,
    counts: pd.DataFrame,
    patients: pd.DataFrame,
    uncertainty: Mapping[str, float],
    few_cells: Mapping[str, int],
    rna_suspension: str = "auto",
) -> pd.DataFrame:
    """Fractions, NK/µL and cells/µL of every named subset in every sample of every modality.

    A day with a blood count but no file of the modality has its `NK` row only. Product and donor samples have fractions
    but no cells/µL: they are not the patient's blood. A share of fewer NK cells than `few_cells` asks for keeps its
    interval, but gives no cells/µL and so no fold.

    Parameters
    ----------
    populations, summaries
        POPULATIONS and SUMMARY by modality.
    samples, counts, patients
        SAMPLES, COUNTS and PATIENTS of the cohort.
    uncertainty
        Config `dynamics.uncertainty`: `count_cv`, `fraction_overdispersion`, `label_correlation`.
    few_cells
        Config `dynamics.few_cells`: `min_nk`, the fewest NK cells in a file for cells/µL of its populations, and
        `min_lymphocytes`, the fewest lymphocytes for NK/µL from their share.
    rna_suspension
        Config `dynamics.rna_suspension`.

    Returns
    -------
    DataFrame
        ABUNDANCE, sorted by modality, patient, tissue, day, sample and population.
    """
    least = few_cells["min_lymphocytes"]
    blood_counts = nk_per_ul(
        counts, samples, summaries, uncertainty=uncertainty, min_lymphocytes=least, rna_suspension=rna_suspension
    )
    parts = []
    for modality in sorted(populations):
        own = samples[samples["modality"] == modality]
        shares = _shares(populations[modality], summaries[modality], uncertainty)
        table = pd.concat([_sample_rows(own, shares, summaries[modality]), _count_rows(own, blood_counts)])
        table["modality"] = modality
        parts.append(table)
    table = pd.concat(parts, ignore_index=True)
    _name_days(table, samples, patients)
    return ABUNDANCE.check(_per_ul(table, blood_counts, few_cells["min_nk"])).sort_values(ORDER, ignore_index=True)


def _shares(populations: pd.DataFrame, summary: pd.DataFrame, uncertainty: Mapping[str, float]) -> pd.DataFrame:
    """sample, population, n_cells, n_nk, fraction and limits, the NK rows included."""
    counted = population_counts(populations)
    names = sorted(set(counted["population"]))
    order = counted["sample"].drop_duplicates().to_numpy()
    if len(order) == 0:
        return pd.DataFrame(columns=["sample", "population", "n_cells", "n_nk", *_FRACTION])
    sums = ("n_cells", "moved", "doubt", "root_doubt")
    cells, moved, doubt, root = (counted[c].to_numpy(float).reshape(-1, len(names)) for c in sums)
    total = cells.sum(axis=1, keepdims=True)
    fraction, low, high = share_interval(
        cells,
        total,
        overdispersion=uncertainty["fraction_overdispersion"],
        variance=label_variance(cells, moved, doubt, root_doubt=root, correlation=uncertainty["label_correlation"]),
        gate_sd=gate_log_sd(summary).reindex(order).fillna(0.0).to_numpy()[:, None],
    )
    counted["n_nk"] = np.repeat(total[:, 0], len(names))
    counted["fraction"], counted["fraction_low"], counted["fraction_high"] = fraction.ravel(), low.ravel(), high.ravel()
    whole = pd.DataFrame({"sample": order, "population": NK, "n_cells": total[:, 0], "n_nk": total[:, 0]})
    whole[_FRACTION] = 1.0
    return pd.concat([counted.drop(columns=["moved", "doubt", "root_doubt"]), whole], ignore_index=True)


_FRACTION = ["fraction", "fraction_low", "fraction_high"]


def _sample_rows(samples: pd.DataFrame, shares: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of samples with cells, and one `NK` row with the reason for each sample without."""
    facts = samples[list(SAMPLE_KEYS)]
    rows = facts.merge(shares, on="sample")
    rows["reason"] = None
    without = facts[~facts["sample"].isin(shares["sample"])].copy()
    why = summary.set_index("sample")["reason"].reindex(without["sample"])
    left_out = summary.set_index("sample")["left_out"].reindex(without["sample"]).eq(True).to_numpy()
    without["population"] = NK
    without[_FRACTION] = np.nan
    counted = summary.set_index("sample")["n_nk"].reindex(without["sample"]).to_numpy(float)
    without["n_cells"] = without["n_nk"] = np.where(~left_out & (counted == 0), 0.0, np.nan)
    without["reason"] = [
        f"sample left out: {text}" if out and isinstance(text, str) else "no NK cells in the file"
        for out, text in zip(left_out, why, strict=True)
    ]
    return pd.concat([rows, without], ignore_index=True)


def _count_rows(samples: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """`NK` rows of patient-days with a count but no blood file of this modality."""
    blood = samples.loc[samples["tissue_or_product"].eq("blood"), KEY].drop_duplicates()
    days = counts[KEY].merge(blood, on=KEY, how="left", indicator=True)
    rows = days.loc[days["_merge"] == "left_only", KEY].copy()
    rows["population"], rows["sample"], rows["reason"] = NK, None, None
    rows["tissue_or_product"] = "blood"
    rows[["timepoint", "arm"]] = None
    rows[["n_cells", "n_nk", *_FRACTION]] = np.nan
    return rows


def _name_days(table: pd.DataFrame, samples: pd.DataFrame, patients: pd.DataFrame) -> None:
    """Give count-only rows the arm of the patient, and the time point that the day has elsewhere in the cohort."""
    blood = samples[samples["tissue_or_product"] == "blood"].sort_values(["patient", "day", "timepoint"])
    own = blood.drop_duplicates(KEY).set_index(KEY)["timepoint"]
    day = blood.drop_duplicates("day").set_index("day")["timepoint"]
    arm = patients.set_index("patient")["arm"]
    for i in table.index[table["timepoint"].isna()]:
        patient, number = table.at[i, "patient"], table.at[i, "day"]
        table.at[i, "timepoint"] = own.get((patient, number), day.get(number, f"D{number}"))
        table.at[i, "arm"] = arm[patient]


def _per_ul(table: pd.DataFrame, counts: pd.DataFrame, min_nk: int) -> pd.DataFrame:
    """Join NK/µL to the blood rows and multiply it with the fractions, limits by MOVER."""
    joined = table.merge(
        counts.rename(columns={"source": "nk_per_ul_source", "reason": "count_reason"}), on=KEY, how="left"
    )
    blood = (joined["tissue_or_product"] == "blood").to_numpy()
    joined.loc[~blood, "nk_per_ul"] = np.nan
    joined.loc[~blood, "nk_per_ul_source"] = None
    few = blood & (joined["population"] != NK).to_numpy() & (joined["n_nk"] < min_nk).to_numpy()
    nk, low, high = (np.where(few, np.nan, joined[f"nk_per_ul{end}"].to_numpy(float)) for end in ("", "_low", "_high"))
    share = tuple(np.where(joined["population"] == NK, 1.0, joined[c].to_numpy(float)) for c in _FRACTION)
    joined["cells_per_ul"] = nk * share[0]
    joined["cells_per_ul_low"], joined["cells_per_ul_high"] = product_limits((nk, low, high), share)
    no_count = joined["count_reason"].fillna("no blood count that day").to_numpy(object)
    file_few = [
        f"too few NK cells in the file for cells per uL: {n:.0f}, fewer than dynamics.few_cells.min_nk = {min_nk}"
        for n in joined.loc[few, "n_nk"]
    ]
    no_count[few] = file_few
    missing = np.where(blood, no_count, joined["tissue_or_product"].to_numpy() + " is not blood: no cells per uL")
    empty = joined["cells_per_ul"].isna() & joined["reason"].isna()
    joined.loc[empty, "reason"] = missing[empty.to_numpy()]
    return joined[list(ABUNDANCE.columns)]
