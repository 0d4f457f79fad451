"""What the site shows of very many patients and samples: those that stand out, and an even choice of the others.

Up to :data:`MOST_PATIENTS` patients and :data:`MOST_SAMPLES` samples a kind of data everything is shown. Above, pages
and panels of single patients, columns of single samples and pictures of gates would make the site grow without end,
and nobody reads a picture of a thousand columns: then they show a choice (:data:`CHOSEN_PATIENTS` patients), say so,
and the page of all patients leads to every other one. Tables, means over patients and the results folder hold all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import CYTOMETRY, NK

from .reading import first_modality, left_out
from .run import Run

MOST_PATIENTS = 40  # up to these every patient has a page, and panels, of their own
CHOSEN_PATIENTS = 20  # of more
MOST_SAMPLES = 120  # as columns of one picture of a kind of data; pictures of gates in the site
FAR = 3.5  # a modified z beyond which a value is called an outlier (Iglewicz & Hoaglin 1993)
CHOICE = "those that stand out and an even choice of the others"


def away(values: pd.Series) -> pd.Series:
    """How far each value is from the median, as a modified z; 0 where it is not known or all are alike.

    Examples
    --------
    >>> away(pd.Series([1.0, 2, 3, 4, 30, np.nan])).round(1).tolist()
    [1.3, 0.7, 0.0, 0.7, 18.2, 0.0]
    """
    if not values.notna().any():  # the median of nothing warns
        return pd.Series(0.0, index=values.index)
    apart = (values - values.median()).abs()
    middle = apart.median()
    return (0.6745 * apart / middle if middle > 0 else apart * 0.0).fillna(0.0)


def choose(table: pd.DataFrame, most: int) -> list[str]:
    """At most `most` names of `table`, in its order: up to half of them the oddest, the others evenly spaced.

    Parameters
    ----------
    table
        Index: names. Columns left_out (bool), told (serious and other warnings) and away (:func:`away`).
    most
        Names that are given; all where there are no more.
    """
    if len(table) <= most:
        return list(table.index)
    odd = table[table["left_out"] | (table["told"] > 0) | (table["away"] > FAR)]
    odd = odd.sort_values(["left_out", "told", "away"], ascending=False, kind="stable").index[: most // 2]
    others = table.index[~table.index.isin(odd)]
    even = others[np.linspace(0, len(others) - 1, most - len(odd)).round().astype(int)]
    return list(table.index[table.index.isin(odd) | table.index.isin(even)])


@lru_cache(maxsize=2)
def oddities(run: Run) -> pd.DataFrame:
    """One row per sample by arm, patient and day: how much there is to look at.

    Returns
    -------
    DataFrame
        Index sample: patient, arm, modality, left_out, told (kinds of warnings, notes not counted), away (of the share
        of NK cells among samples of its kind), why (in words).
    """
    samples = run.samples.sort_values(["arm", "patient", "day", "sample"], kind="stable").set_index("sample")
    table = samples[["patient", "arm", "modality"]].assign(left_out=samples.index.isin(left_out(run)["sample"]))
    warnings = run.table("quality/warnings.parquet")
    kinds: dict[str, list[str]] = {}
    if len(warnings):
        named = warnings[warnings["sample"].notna() & (warnings["severity"] != "note")]
        kinds = named.groupby("sample")["kind"].agg(lambda k: sorted(set(k))).to_dict()
    table["told"] = [len(kinds.get(s, [])) for s in table.index]
    share = pd.Series(np.nan, index=table.index)
    for modality in run.modalities:
        own = run.table(f"{modality}/summary.parquet").set_index("sample")
        found = np.log((own["n_nk"] + 0.5) / (own["n_lymphocytes"] - own["n_nk"] + 0.5).clip(lower=0.5))
        share.update(found[own["n_lymphocytes"] > 0])
    group = [samples["modality"], samples["tissue_or_product"]]
    table["away"] = share.groupby(group).transform(away) if len(share) else share
    words = []
    for name, row in table.iterrows():
        told = ["left out"] if row["left_out"] else []
        told += kinds.get(str(name), [])
        words.append("; ".join([*told, *(["unusual share of NK cells"] if row["away"] > FAR else [])]))
    return table.assign(why=words)


@lru_cache(maxsize=2)
def people(run: Run) -> pd.DataFrame:
    """:func:`oddities` by patient, the height of the NK cells' peak with them; in the order of arm and patient."""
    samples = oddities(run)
    table = samples.groupby("patient", sort=False).agg(
        arm=("arm", "first"), left_out=("left_out", "any"), told=("told", "sum"), away=("away", "max"),
        why=("why", lambda w: "; ".join(dict.fromkeys(k for text in w if text for k in text.split("; ")))),
    )  # fmt: skip
    kinetics = first_modality(run.table("dynamics/kinetics.parquet"))
    if len(kinetics):
        peak = kinetics[kinetics["population"] == NK].drop_duplicates("patient").set_index("patient")["peak_fold"]
        height = np.log(peak.where(peak > 0)).reindex(table.index)
        far = height.groupby(table["arm"]).transform(away)
        odd = far > FAR
        table.loc[odd, "why"] = [f"{w}; unusual peak" if w else "unusual peak" for w in table.loc[odd, "why"]]
        table["away"] = np.maximum(table["away"], far)
    return table


@lru_cache(maxsize=2)
def patients_shown(run: Run) -> list[str]:
    """Patients with a page and panels of their own, sorted by name."""
    table = people(run)
    return sorted(table.index if len(table) <= MOST_PATIENTS else choose(table, CHOSEN_PATIENTS))


@lru_cache(maxsize=2)
def pictured(run: Run) -> frozenset[str]:
    """Samples whose pictures of gates the site holds: of patients with a page."""
    samples = oddities(run)
    own = samples[samples["modality"].isin(CYTOMETRY) & samples["patient"].isin(patients_shown(run))]
    return frozenset(choose(own, MOST_SAMPLES))


def of_patients(run: Run, rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of the patients shown, and a sentence for the caption where not all are."""
    known = rows["patient"].nunique() if len(rows) else 0
    if known <= MOST_PATIENTS:
        return rows, ""
    shown = rows[rows["patient"].isin(patients_shown(run))]
    return shown, f" {_words(shown['patient'].nunique(), known, 'patients')}"


def samples_shown(run: Run, names: Sequence[str]) -> tuple[list[str], str]:
    """Of the samples `names` those that are columns of a picture, and a sentence where not all are."""
    table = oddities(run)
    own = table[table.index.isin(set(names))]
    shown = choose(own, MOST_SAMPLES)
    return shown, f" {_words(len(shown), len(own), 'samples')}" if len(shown) < len(own) else ""


def _words(shown: int, known: int, what: str) -> str:
    return f"Shown are {shown:,} of {known:,} {what}: {CHOICE}."


def first_the_odd(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """A table of samples with those that stand out at its head, for where a page holds its first rows only."""
    found = oddities(run).reindex(table["sample"])
    odd = (found["left_out"].eq(True) | (found["told"] > 0) | (found["away"] > FAR)).to_numpy()
    return pd.concat([table[odd], table[~odd]])
