"""Cells per sample and population, and NK cells per microlitre of blood per patient-day."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from cimlnk.stats.intervals import Z95, log_limits, product_limits, share_interval

KEY = ["patient", "day"]
_SHARE = ["share", "share_low", "share_high"]
_TYPES = {"patient": object, "day": "int64", "sample": object, "n_nk": float, "n_lymphocytes": float}
_KINDS = {"cytof": "mass cytometry", "flow": "flow cytometry", "rna": "RNA"}  # in the order in which a share is taken
ENRICHED = 0.5  # more NK cells than this among the lymphocytes are not the blood's, before anybody was treated
_SUMS = ("n_cells", "moved", "doubt", "root_doubt")


def population_counts(populations: pd.DataFrame, names: list[str] | None = None) -> pd.DataFrame:
    """Count the cells of every sample and population, with what their confidences say about the labels.

    Parameters
    ----------
    populations
        POPULATIONS: one row per cell.
    names
        Populations to give a row to even where they have no cell; default all that occur in any sample.

    Returns
    -------
    DataFrame
        sample, population, n_cells, moved (sum of 1 - c), doubt (sum of c (1 - c)), root_doubt (sum of its square
        roots): every sample × every name, sorted.
    """
    table = populations[["sample", "population"]].astype(str).astype("category")
    confidence = populations["confidence"].to_numpy(float).clip(0.0, 1.0)
    spread = confidence * (1.0 - confidence)
    table = table.assign(n_cells=1.0, moved=1.0 - confidence, doubt=spread, root_doubt=np.sqrt(spread))
    counted = table.groupby(["sample", "population"], sort=True, observed=True)[list(_SUMS)].sum()
    every = sorted(set(names) if names is not None else set(table["population"]))
    index = pd.MultiIndex.from_product([sorted(set(table["sample"])), every], names=["sample", "population"])
    return counted.reindex(index, fill_value=0.0).reset_index()


def gate_log_sd(summary: pd.DataFrame) -> pd.Series:
    """Standard deviation of log n_nk from the gate's limits (n_nk_low to n_nk_high taken as a 95 % interval).

    Samples without limits have 0: no uncertainty was stated.
    """
    low, high = summary["n_nk_low"].to_numpy(float), summary["n_nk_high"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        sd = np.log(np.maximum(high, 1.0) / np.maximum(low, 1.0)) / (2.0 * Z95)
    stated = np.isfinite(low) & np.isfinite(high)
    return pd.Series(np.where(stated, np.maximum(sd, 0.0), 0.0), index=summary["sample"].to_numpy())


def nk_per_ul(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    summaries: Mapping[str, pd.DataFrame],
    *,
    uncertainty: Mapping[str, float],
    min_lymphocytes: int,
    rna_suspension: str = "auto",
) -> pd.DataFrame:
    """NK cells per microlitre of blood for every patient-day of the counts sheet.

    The sheet's own NK count comes first. Where it is missing, the lymphocyte count times NK / lymphocytes of a file of
    the same patient's blood on the same day stands in: of mass cytometry, else of flow cytometry, else of RNA if its
    suspension was not enriched for NK cells. NK / all events is never used: beads, debris and erythrocytes left over
    from lysis would be in the denominator. A share of fewer than `min_lymphocytes` is not
    taken. The limits of the share are those of a proportion, so that a small file never gives more NK cells than the
    lymphocytes it counted; what lies above the day's lymphocyte count is the error of that count alone.

    Parameters
    ----------
    counts, samples
        COUNTS and SAMPLES.
    summaries
        SUMMARY by modality.
    uncertainty
        Config `dynamics.uncertainty`: `count_cv`, the coefficient of variation of a clinical cell count, and
        `fraction_overdispersion`.
    min_lymphocytes
        Fewest lymphocytes in the file (config `dynamics.few_cells`).
    rna_suspension
        Config `dynamics.rna_suspension`: ``unsorted``, ``enriched``, or ``auto`` (:func:`enriched_samples`).

    Returns
    -------
    DataFrame
        patient, day, nk_per_ul, nk_per_ul_low, nk_per_ul_high, source (str or None), event (str or None), reason (str
        or None).
    """
    table = counts[[*KEY, "nk_per_ul", "lymphocytes_per_ul", "event"]].copy()
    table["nk_per_ul"] = table["nk_per_ul"].astype(float)
    shares = _best_shares(
        samples,
        summaries,
        uncertainty["fraction_overdispersion"],
        min_lymphocytes=min_lymphocytes,
        rna_suspension=rna_suspension,
    )
    table = table.merge(shares, on=KEY, how="left", validate="one_to_one")
    given = table["nk_per_ul"].notna()
    enriched = ~given & table["enriched"].eq(True)
    few = ~given & ~enriched & (table["n_lymphocytes"] < min_lymphocytes)
    derived = ~given & ~few & ~enriched & table["lymphocytes_per_ul"].notna() & table["share"].notna()
    sd = np.full(len(table), np.sqrt(np.log1p(uncertainty["count_cv"] ** 2)))
    lymphocytes = table["lymphocytes_per_ul"].to_numpy(float)
    by_share = product_limits((lymphocytes, *log_limits(lymphocytes, sd)), [table[c] for c in _SHARE])
    table["nk_per_ul_low"], table["nk_per_ul_high"] = log_limits(table["nk_per_ul"], sd)
    table.loc[derived, "nk_per_ul"] = (table["lymphocytes_per_ul"] * table["share"])[derived]
    table.loc[derived, "nk_per_ul_low"] = by_share[0][derived]
    table.loc[derived, "nk_per_ul_high"] = by_share[1][derived]
    table["source"] = None
    table.loc[given, "source"] = "counts"
    table.loc[derived, "source"] = (
        "lymphocytes_per_ul x NK/lymphocytes of " + table["modality"] + " sample " + table["sample"].astype(str)
    )
    table["reason"] = None
    no_lymphocytes = ~given & ~derived & table["lymphocytes_per_ul"].isna()
    table.loc[no_lymphocytes, "reason"] = "no NK and no lymphocyte count that day"
    table.loc[~given & ~derived & ~no_lymphocytes, "reason"] = (
        f"no NK count, and no {' or '.join(k for m, k in _KINDS.items() if m in summaries)} file of that day with a "
        "lymphocyte gate"
    )
    for i in table.index[enriched & ~no_lymphocytes]:
        row = table.loc[i]
        table.at[i, "reason"] = (
            f"no NK count, and the RNA of {row['sample']} is of cells enriched for NK cells ({row['n_nk']:.0f} of "
            f"{row['n_lymphocytes']:.0f} lymphocytes), not the blood's share; if it was not enriched, set "
            "dynamics.rna_suspension = unsorted"
        )
    for i in table.index[few & ~no_lymphocytes]:
        row = table.loc[i]
        table.at[i, "reason"] = (
            f"no NK count, and too few lymphocytes in {row['sample']} for a share of them: {row['n_nk']:.0f} NK "
            f"cells of {row['n_lymphocytes']:.0f} lymphocytes, fewer than dynamics.few_cells.min_lymphocytes = "
            f"{min_lymphocytes}"
        )
    return table[[*KEY, "nk_per_ul", "nk_per_ul_low", "nk_per_ul_high", "source", "event", "reason"]]


def enriched_samples(samples: pd.DataFrame, summary: pd.DataFrame, suspension: str = "auto") -> set[str]:
    """Blood samples of RNA whose share of NK cells among the lymphocytes is not taken for the blood's.

    NK cells are often enriched before they are sequenced, and no sheet says so. ``auto`` looks at every patient's
    earliest blood: if more than half of its lymphocytes are NK cells in the median of the patients, all samples are of
    enriched cells; else those of them and of days before infusion in which this is so. After infusion NK cells may be
    most of the lymphocytes of any blood.

    Parameters
    ----------
    samples, summary
        SAMPLES of the cohort, SUMMARY of its RNA.
    suspension
        ``unsorted``: none is enriched, ``enriched``: all are, ``auto``: see above.
    """
    blood = samples[samples["tissue_or_product"] == "blood"].merge(summary[summary["n_lymphocytes"] > 0], on="sample")
    if suspension != "auto" or not len(blood):
        return set(blood["sample"]) if suspension == "enriched" else set()
    many = blood["n_nk"] > ENRICHED * blood["n_lymphocytes"]
    earliest = blood["day"] == blood.groupby("patient")["day"].transform("min")
    if (blood["n_nk"] / blood["n_lymphocytes"])[earliest].median() > ENRICHED:
        return set(blood["sample"])
    return set(blood.loc[many & (earliest | (blood["day"] < 0)), "sample"])


def _best_shares(
    samples: pd.DataFrame,
    summaries: Mapping[str, pd.DataFrame],
    overdispersion: float,
    *,
    min_lymphocytes: int,
    rna_suspension: str,
) -> pd.DataFrame:
    """One share a patient-day: the first that is of enough lymphocytes and not of enriched cells, else the first."""
    parts = []
    for order, modality in enumerate(_KINDS):
        own = samples[samples["modality"] == modality]
        summary = summaries.get(modality)
        part = _nk_of_lymphocytes(own, summary, overdispersion).assign(modality=modality, order=order, enriched=False)
        if modality == "rna" and summary is not None:
            enriched = enriched_samples(own, summary, rna_suspension)
            part["enriched"] = [any(s in enriched for s in names.split(", ")) for names in part["sample"]]
        parts.append(part)
    every = pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)
    every["unusable"] = every["enriched"] | (every["n_lymphocytes"] < min_lymphocytes)
    best = every.sort_values(["unusable", "order"], kind="stable").drop_duplicates(KEY)
    return best.drop(columns=["order", "unusable"])


def _nk_of_lymphocytes(samples: pd.DataFrame, summary: pd.DataFrame | None, overdispersion: float) -> pd.DataFrame:
    """NK / lymphocytes of each patient-day's blood in mass cytometry, with limits; files of one day are pooled."""
    columns = [*_TYPES, *_SHARE]
    types = {**_TYPES, **dict.fromkeys(_SHARE, float)}
    if summary is None:
        return pd.DataFrame(columns=columns).astype(types)
    usable = summary.loc[~summary["left_out"] & (summary["n_lymphocytes"] > 0)].copy()
    usable["gate_sd"] = gate_log_sd(usable).to_numpy()
    blood = samples.loc[samples["tissue_or_product"].eq("blood"), ["sample", *KEY]]
    joined = blood.merge(usable, on="sample")
    rows = []
    for (patient, day), group in joined.groupby(KEY, sort=True):
        nk, lymphocytes = group["n_nk"].sum(), group["n_lymphocytes"].sum()
        gate = float(np.average(group["gate_sd"], weights=np.maximum(group["n_nk"], 1.0)))
        limits = share_interval(nk, lymphocytes, overdispersion=overdispersion, variance=(nk * gate) ** 2)
        share, low, high = map(float, limits)
        if nk == 0:  # of none there is no relative doubt: the most that the gates allow is added as it is
            most = float(group["n_nk_high"].fillna(0.0).sum()) / lymphocytes
            high = min(float(np.hypot(high, most)), 1.0)
        rows.append((patient, day, ", ".join(sorted(group["sample"])), nk, lymphocytes, share, low, high))
    return pd.DataFrame(rows, columns=columns).astype(types)
