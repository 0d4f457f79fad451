"""The questions that can be put to a cohort in which nobody was infused, and their answers."""

from __future__ import annotations

import pandas as pd

from cimlnk.common.palette import label
from cimlnk.common.vocabulary import MODALITY_WORDS, NK
from cimlnk.report.arms import compare_arms
from cimlnk.report.reading import first_modality
from cimlnk.report.run import Run

from .certainty import ALPHA
from .subsets import LEAST, shares
from .words import named, small

WHY_SHORT = (
    "Nobody of this cohort was given NK cells: what is asked of infused cells (products, expansion, how far, when, how "
    "long) does not apply."
)


def first_blood(run: Run) -> pd.DataFrame:
    """Share of every kind in each patient's first blood: modality, arm, patient, population, share, before (NaN)."""
    table = run.table("dynamics/abundance.parquet")
    if not len(table):
        return table
    blood = table[(table["tissue_or_product"] == "blood") & table["fraction"].notna() & (table["population"] != NK)]
    blood = first_modality(blood)
    first = blood[blood["day"] == blood.groupby("patient")["day"].transform("min")]
    keys = ["modality", "arm", "patient", "population"]
    return first.groupby(keys, as_index=False)["fraction"].mean().rename(columns={"fraction": "share"})


def kinds_by_arm(run: Run) -> str:
    """Median shares of the kinds of NK cells, arm by arm."""
    table = first_blood(run)
    if not len(table):
        return "This cannot be said: there is no file of blood with named NK cells."
    by = MODALITY_WORDS[str(table["modality"].iloc[0])]
    text = f"In the first blood (median share among NK cells, {by}; all kinds from {LEAST:.0%})"
    for arm, part in table.groupby("arm", sort=True):
        who = list(dict.fromkeys(part["patient"]))
        text += (
            f". {'All' if arm == 'all' else f'Arm {arm}'} ({named(who)}): {shares(part.assign(before=float('nan')))}"
        )
    return f"{text}."


def arms_compared(run: Run) -> str:
    """What the overview's comparison of the arms says, in a sentence: it and the summary read one table."""
    table = run.table("dynamics/abundance.parquet")
    table = compare_arms(table) if len(table) else table
    if not len(table):
        n = run.samples["arm"].nunique()
        return "All patients belong to one arm: there is none to compare with." if n < 2 else (
            "The arms cannot be compared: no named NK cells in blood of two of them."
        )  # fmt: skip
    arms = sorted({*table["arm"].astype(str), *table["other"].astype(str)})
    text = f"The shares of the kinds of NK cells in the patients' first blood were compared between {named(arms)}: "
    known = table.dropna(subset=["p"])
    if not len(known):
        return f"{text}no comparison could be tested ({'; '.join(sorted(set(table['reason'].dropna())))})."
    sure = known[known["fdr"] < ALPHA]
    best = known.loc[known["p"].idxmin()]
    text += f"{len(sure)} of {len(known)} exact tests are below a false discovery rate of {ALPHA:.0%}. The smallest p "
    text += f"is that of {label(str(best['population']))}, {best['arm']} {best['median']:.0f} % against "
    text += f"{best['other']} {best['median_other']:.0f} % ({small(float(best['p']))}; the smallest these numbers "
    return f"{text}allow is {best['p_floor']:.2g}). The overview has the whole table."


def certain_of_arms(run: Run) -> str:
    """Whether any arm differs from another beyond chance."""
    table = run.table("dynamics/abundance.parquet")
    table = compare_arms(table) if len(table) else table
    known = table.dropna(subset=["p"]) if len(table) else table
    if not len(known) and run.samples["arm"].nunique() < 2:
        return "There is one arm: no difference is asked."
    if not len(known):
        return "Not certain: no two arms have two patients or more each, so that nothing could be tested."
    if (known["fdr"] < ALPHA).any():
        which = known.loc[known["fdr"] < ALPHA, "population"].map(lambda p: label(str(p)))
        return (
            f"Certain beyond chance: arms differ in {named(list(dict.fromkeys(which)))} (exact tests, false discovery "
            f"rate below {ALPHA:.0%})."
        )
    if known["p_floor"].min() >= ALPHA:
        return (
            f"Not certain: no exact test of so few patients can give a p below {known['p_floor'].min():.2g}, whatever "
            "the difference."
        )
    return "Not certain: no difference between arms is distinguished from chance after correction for their number."
