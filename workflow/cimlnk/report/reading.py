"""What several pages and the summary for clinicians read of a run in the same way."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import MODALITIES
from cimlnk.stats.exact import SAMPLED, dealings, relabel
from cimlnk.stats.ranks import mid_ranks

from .run import Run

GATED_BEFORE = 0.98  # NK cells among lymphocytes: no blood has as many


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


def without_told(table: pd.DataFrame, keys: list[str], values: list[str]) -> pd.DataFrame:
    """Rows without those of all NK cells that an earlier kind of data has told: their count is the blood's.

    Parameters
    ----------
    table
        Columns modality and population, `keys` and `values`.
    keys
        Say which row of another modality is the same.
    values
        Equal in rows that tell the same; where a kind of data counted otherwise, its rows stay.
    """
    if not len(table):
        return table
    nk = table[table["population"] == "NK"].copy()
    rank = {m: k for k, m in enumerate(MODALITIES)}
    nk = nk.assign(rank=nk["modality"].map(rank)).sort_values("rank", kind="stable")
    again = nk.duplicated([*keys, *values])
    return table.drop(index=nk.index[again])


def nk_share_words(run: Run, modality: str) -> str:
    """What the NK cells' share of the lymphocytes is worth in the files of blood; nothing where it can be a share of
    blood. After an infusion blood may hold nearly NK cells alone, so that only RNA, of which a half is too much, and
    files without anything else tell of gating before."""
    summary = run.table(f"{modality}/summary.parquet")
    blood = run.samples.loc[run.samples["tissue_or_product"] == "blood", "sample"]
    summary = summary[summary["sample"].isin(blood)]
    share = (summary["n_nk"] / summary["n_lymphocytes"].where(summary["n_lymphocytes"] > 0)).dropna()
    if not len(share) or share.median() < (0.5 if modality == "rna" else GATED_BEFORE):
        return ""
    low, high = f"{share.min():.0%}", f"{share.max():.0%}"
    span = low if low == high else f"{low} to {high}"
    return (
        f"<b>The share of NK cells says nothing about the blood here</b>: they are {span} of the lymphocytes of "
        f"{len(share)} files called blood, more than blood has. The cells must have been gated, sorted or enriched "
        "for NK cells before, so that no lymphocyte count gives NK/µL by this share."
    )


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
    if min(len(a), len(b)) < 2:
        return np.nan, np.nan, "fewer than two patients in an arm"
    ranks = mid_ranks(np.concatenate([a, b]))[None, :]
    # the sum of one arm's ranks and the difference of mean ranks order the divisions alike
    found = relabel(ranks[:, : len(a)], ranks[:, len(a) :], least=2)
    many = None if dealings(len(a), len(b), 0)[1] else f"many patients: {SAMPLED:,} divisions at random"
    return float(found.p[0]), float(found.p_floor[0]), many
