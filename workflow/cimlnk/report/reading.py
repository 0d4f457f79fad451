"""What several pages and the summary for clinicians read of a run in the same way."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import MODALITIES

from .run import Run

MOST = 100_000  # divisions of the patients looked at one by one


def treated_arm(run: Run) -> bool:
    """Whether any patient belongs to the arm that the claims call treated."""
    return str(run.config["claims"]["arms"]["treated"]) in set(run.samples["arm"].astype(str))


def infused(run: Run) -> bool:
    """Whether anybody was given NK cells: a product among the samples, or a patient of the treated arm."""
    return treated_arm(run) or bool((run.samples["tissue_or_product"] == "product").any())


def il2_given(run: Run) -> bool:
    """Whether the sheets tell of IL-2 that was given to anybody."""
    counts, people = run.table("cohort/counts.parquet"), run.table("cohort/patients.parquet")
    given = [t[c] for t, c in ((counts, "il2_dose"), (people, "il2_received")) if c in t]
    return any(bool((pd.to_numeric(v, errors="coerce") > 0).any()) for v in given)


def expansion_band(run: Run) -> tuple[float, float]:
    """Folds between which the study's first claim expects the NK cells."""
    bounds = run.config["claims"]["bounds"].get("C01", {})
    return float(bounds.get("low", 10)), float(bounds.get("high", 50))


def first_modality(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of mass cytometry, or of the only modality there is: NK counts are the same in both."""
    return table[table["modality"] == table["modality"].min()] if len(table) else table


def blood_nk(run: Run) -> pd.DataFrame:
    """ABUNDANCE rows of all NK cells in blood, one per patient and day."""
    table = run.table("dynamics/abundance.parquet")
    if not len(table):
        return table
    rows = table[(table["population"] == "NK") & (table["tissue_or_product"] == "blood")]
    return first_modality(rows).drop_duplicates(["patient", "day"])


def left_out(run: Run) -> pd.DataFrame:
    """Samples left out of the run, with the reason."""
    parts = []
    for modality in MODALITIES:
        table = run.table(f"{modality}/summary.parquet")
        if len(table):
            parts.append(table[table["left_out"]].assign(modality=modality)[["sample", "modality", "reason"]])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["sample", "modality", "reason"])


def rank_sum(a: np.ndarray, b: np.ndarray) -> tuple[float, float, str | None]:
    """Two-sided p of the rank sum over all divisions of the patients, the smallest attainable, and a remark."""
    n, k = len(a) + len(b), len(a)
    if min(len(a), len(b)) < 2:
        return np.nan, np.nan, "fewer than two patients in an arm"
    if comb(n, k) > MOST:
        from scipy.stats import mannwhitneyu

        return float(mannwhitneyu(a, b, method="asymptotic").pvalue), 0.0, "many patients: normal approximation"
    ranks = pd.Series(np.concatenate([a, b])).rank().to_numpy()
    away = np.abs(np.array([ranks[list(c)].sum() for c in combinations(range(n), k)]) - k * (n + 1) / 2)
    seen = abs(ranks[:k].sum() - k * (n + 1) / 2)
    return float((away >= seen - 1e-9).mean()), float((away >= away.max() - 1e-9).mean()), None
