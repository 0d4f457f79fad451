"""Scores of the pipeline's answers on a synthetic cohort: pure functions on tables.

Everything is scored against the *as measured* columns of the truth: what a perfect analysis of the same files and
sheets would give, laboratory noise included. Cells between two populations are right with either name
(:mod:`~cimlnk.simulate.crosswalk`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.graph.agreement import adjusted_rand

from .crosswalk import UNNAMED, less_specific, nearest_truth, plain
from .tables import RECOVERY, RECOVERY_CASES

NK_GATE = 0.97  # precision and recall
ARI = {"cytof": 0.60, "flow": 0.50, "rna": 0.10}
SHARE_WITHIN = 0.95  # of samples or patient-days
SUBSETS_WITHIN = 0.70  # of subsets: cells between two subsets get one name or the other
POINTS = 0.02  # tolerance of a fraction
FOLD_TOLERANCE = 0.10
LARGE_SUBSET = 0.05  # subsets from this true share of NK cells on are scored


def nk_gate(truth: pd.DataFrame, cells: pd.Series) -> dict[str, float]:
    """Precision and recall of the cells kept as NK cells.

    Parameters
    ----------
    truth
        CELLS_CYTOF or CELLS_RNA.
    cells
        Ids of the cells the pipeline kept.

    Returns
    -------
    dict
        ``precision`` (share of kept cells that are live single NK cells), ``recall`` (share of those that were kept),
        ``precision_lineage`` (the same precision with doublets and dead or low-quality cells left out of the count:
        errors of cell type only).

    Raises
    ------
    ValueError
        If a kept cell is not in the truth, or twice among the kept.
    """
    if cells.duplicated().any():
        raise ValueError(f"{int(cells.duplicated().sum())} cells are kept twice")
    classes = truth.set_index("cell")["class"]
    unknown = ~cells.isin(classes.index)
    if unknown.any():
        raise ValueError(f"{int(unknown.sum())} cells are not in the truth, the first is {cells[unknown].iloc[0]!r}")
    kept = classes.loc[cells]
    n_nk, hits = int((classes == "NK").sum()), int((kept == "NK").sum())
    whole = int((~kept.isin(("doublet", "dead", "debris", "bead"))).sum())
    return {
        "precision": hits / len(kept) if len(kept) else float("nan"),
        "recall": hits / n_nk if n_nk else float("nan"),
        "precision_lineage": hits / whole if whole else float("nan"),
    }


def score_names(truth: np.ndarray, also: np.ndarray, found: np.ndarray) -> dict[str, float]:
    """Marks of names given to cells of known truth (arrays of the same order).

    Parameters
    ----------
    truth, also
        Names that hold; `also` is empty where there is no second one.
    found
        Names given; ``unassigned`` counts as a name of its own, so leaving cells out of the naming costs.

    Returns
    -------
    dict
        ``ari`` (adjusted Rand index, Hubert & Arabie 1985, with the second name as truth where it was given),
        ``ari_strict`` (with the first name only), ``right`` (share of cells with a name that holds, or a less specific
        one), ``exact`` (without the less specific ones), ``wrong`` (named otherwise), ``unnamed``.
    """
    given = plain(found)
    nearest = nearest_truth(truth, also, given)
    exact = given == nearest
    right = exact | less_specific(truth, also, given)
    unnamed = given == UNNAMED
    return {
        "ari": _agreement(nearest, given),
        "ari_strict": _agreement(truth, given),
        "right": float(right.mean()) if len(right) else float("nan"),
        "exact": float(exact.mean()) if len(exact) else float("nan"),
        "wrong": float((~right & ~unnamed).mean()) if len(right) else float("nan"),
        "unnamed": float(unnamed.mean()) if len(right) else float("nan"),
    }


def named_cells(truth: pd.DataFrame, populations: pd.DataFrame) -> pd.DataFrame:
    """``population``, ``also`` and ``found`` of the true NK cells that were kept and named."""
    own = truth.loc[truth["class"] == "NK", ["cell", "sample", "population", "also"]]
    return own.merge(populations[["cell", "population"]].rename(columns={"population": "found"}), on="cell")


def _agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Adjusted Rand index of two arrays of names; NaN for fewer than two cells."""
    return adjusted_rand(pd.factorize(a)[0], pd.factorize(b)[0]) if len(a) > 1 else float("nan")


def _cases(measure: str, modality: str, table: pd.DataFrame, *, tolerance: float, relative: bool) -> pd.DataFrame:
    """RECOVERY_CASES of a table with ``case``, ``truth`` and ``found``; a missing answer is never within."""
    error = table["found"] / table["truth"] - 1 if relative else table["found"] - table["truth"]
    rows = table[["case", "truth", "found"]].assign(measure=measure, modality=modality, error=error)
    return rows.assign(within=error.abs() <= tolerance)


def nk_fraction_cases(truth: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """NK cells over lymphocytes of every CyTOF blood sample, true and found (`summary` is the pipeline's SUMMARY)."""
    own = truth[
        (truth["modality"] == "cytof") & (truth["population"] == "NK") & (truth["tissue_or_product"] == "blood")
    ]
    found = summary.set_index("sample")
    share = (found["n_nk"] / found["n_lymphocytes"]).reindex(own["sample"]).to_numpy()
    table = pd.DataFrame(
        {"case": own["sample"].to_numpy(), "truth": own["nk_of_lymphocytes"].to_numpy(), "found": share}
    )
    return _cases("NK fraction", "cytof", table, tolerance=POINTS, relative=False)


def fold_cases(truth: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """Fold of all NK cells over the pre-infusion blood on every patient-day after it, true and found (FOLDS)."""
    own = truth[(truth["population"] == "NK") & (truth["tissue_or_product"] == "blood") & (truth["timepoint"] != "pre")]
    own = own.drop_duplicates(["patient", "day"])  # the fold of all NK cells is the same in every modality
    first = folds[folds["population"] == "NK"].sort_values(["modality", "patient", "day"])
    found = first.drop_duplicates(["patient", "day"]).set_index(["patient", "day"])["fold_change"]
    keys = list(zip(own["patient"], own["day"], strict=True))
    table = pd.DataFrame(
        {
            "case": [f"{patient} day {day}" for patient, day in keys],
            "truth": own["fold"].to_numpy(),
            "found": [found.get(key, np.nan) for key in keys],
        }
    )
    return _cases("NK fold", "counts", table, tolerance=FOLD_TOLERANCE, relative=True)


def subset_cases(
    truth: pd.DataFrame, abundance: pd.DataFrame, modality: str, *, cells: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Shares of subsets of at least 5 % of a sample's NK cells, true and found (ABUNDANCE).

    A subset the pipeline did not find in a sample it analysed has share 0; a sample it left out has none. With the
    truth's `cells` the true share is a range, because cells between two populations belong to either: from the cells
    that can only be of this one to all that can be. Then ``truth`` is the end of the range nearest to what was found.
    """
    own = truth[(truth["modality"] == modality) & (truth["population"] != "NK") & (truth["fraction"] >= LARGE_SUBSET)]
    mine = abundance[abundance["modality"] == modality].dropna(subset=["sample", "fraction"])
    mine = mine.assign(population=plain(mine["population"].to_numpy(dtype=object)))
    found = mine.groupby(["sample", "population"])["fraction"].sum()
    analysed = set(mine["sample"])
    keys = list(zip(own["sample"], own["population"], strict=True))
    given = np.array([found.get(key, 0.0 if key[0] in analysed else np.nan) for key in keys], dtype=float)
    share = own["fraction"].to_numpy()
    if cells is not None:
        low, high = _ranges(cells)
        known = np.isin(own["sample"], cells["sample"].unique())
        at_least = np.array([low.get(key, 0.0) for key in keys])
        at_most = np.array([high.get(key, 0.0) for key in keys])
        share = np.where(np.isnan(given) | ~known, share, np.clip(given, at_least, at_most))
    table = pd.DataFrame({"case": [f"{s} {p}" for s, p in keys], "truth": share, "found": given})
    return _cases("subset fraction", modality, table, tolerance=POINTS, relative=False)


def _ranges(cells: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Least and largest share of every sample's NK cells that a population can claim."""
    nk = cells[cells["class"] == "NK"]
    total = nk.groupby("sample").size()
    sure = nk[nk["also"] == ""].groupby(["sample", "population"]).size()
    own = nk.groupby(["sample", "population"]).size()
    other = nk[nk["also"] != ""].groupby(["sample", "also"]).size().rename_axis(["sample", "population"])
    most = own.add(other, fill_value=0)
    return sure.div(total, level="sample"), most.div(total, level="sample")


def _row(
    measure: str, modality: str, value: float, *, threshold: float, n: int, worst: str | None, meaning: str
) -> dict[str, Any]:
    passed = bool(np.isnan(threshold) or value >= threshold)
    return dict(zip(RECOVERY.columns, (measure, modality, value, threshold, passed, n, worst, meaning), strict=True))


def _summarise(cases: pd.DataFrame, threshold: float, meaning: str) -> dict[str, Any]:
    """Share of cases within the tolerance, with the worst one by name."""
    missing = cases["found"].isna()
    worst = cases.loc[missing, "case"].iloc[0] if missing.any() else None
    if worst is None and len(cases):
        at = cases["error"].abs().idxmax()
        worst = f"{cases.at[at, 'case']}: {cases.at[at, 'found']:.3g}, truth {cases.at[at, 'truth']:.3g}"
    value = float(cases["within"].mean()) if len(cases) else float("nan")
    first = cases.iloc[0] if len(cases) else {"measure": meaning, "modality": ""}
    return _row(
        f"{first['measure']} within tolerance",
        first["modality"],
        value,
        threshold=threshold,
        n=len(cases),
        worst=worst,
        meaning=meaning,
    )


def score(
    truth_cells: Mapping[str, pd.DataFrame],
    truth_abundance: pd.DataFrame,
    populations: Mapping[str, pd.DataFrame],
    *,
    summaries: Mapping[str, pd.DataFrame],
    abundance: pd.DataFrame,
    folds: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All marks (RECOVERY) and the cases behind them (RECOVERY_CASES).

    Parameters
    ----------
    truth_cells, populations, summaries
        By modality: the truth's cells, and the pipeline's POPULATIONS and SUMMARY.
    abundance, folds
        The pipeline's ABUNDANCE and FOLDS.
    """
    rows, cases = [], []
    nan = float("nan")
    for modality in sorted(populations):
        truth, named = truth_cells[modality], populations[modality]
        gate = nk_gate(truth, named["cell"])
        # In RNA two NK cells in one droplet look like one large NK cell: only mistaken cell types are asked to be few.
        cytometry = modality != "rna"
        strict = "precision" if cytometry else "precision_lineage"
        words = {
            "precision": "kept cells that are live single NK cells",
            "recall": "live single NK cells that are kept",
            "precision_lineage": "kept single cells of good quality that are NK cells",
        }
        for name in ("precision", "precision_lineage", "recall"):
            asked = NK_GATE if name == strict or (name == "recall" and cytometry) else nan
            rows.append(
                _row(
                    f"NK gate {name}",
                    modality,
                    gate[name],
                    threshold=asked,
                    n=len(named),
                    worst=None,
                    meaning=words[name],
                )
            )
        known = named_cells(truth, named)
        names = score_names(*(known[c].to_numpy(dtype=object) for c in ("population", "also", "found")))
        for measure, key, asked, meaning in (
            (
                "population ARI",
                "ari",
                ARI.get(modality, nan),
                "adjusted Rand index of the names, cells between two as either",
            ),
            ("population ARI, one name only", "ari_strict", nan, "the same where the second name is held to be wrong"),
            ("cells named rightly", "right", nan, "true NK cells with a name that holds, or a less specific one"),
            ("cells named wrongly", "wrong", nan, "true NK cells with a name that does not hold"),
        ):
            rows.append(_row(measure, modality, names[key], threshold=asked, n=len(known), worst=None, meaning=meaning))
        subset = subset_cases(truth_abundance, abundance, modality, cells=truth)
        asked = SUBSETS_WITHIN if cytometry else nan
        meaning = "subsets of at least 5 % whose share of NK cells is within 2 points"
        rows.append(_summarise(subset, asked, meaning))
        cases.append(subset)
    if "cytof" in summaries:
        cases.append(nk_fraction_cases(truth_abundance, summaries["cytof"]))
        rows.append(
            _summarise(cases[-1], SHARE_WITHIN, "blood samples whose NK share of lymphocytes is within 2 points")
        )
    cases.append(fold_cases(truth_abundance, folds))
    rows.append(_summarise(cases[-1], SHARE_WITHIN, "patient-days whose NK fold is within 10 %"))
    return RECOVERY.check(pd.DataFrame(rows)), RECOVERY_CASES.check(pd.concat(cases, ignore_index=True))
