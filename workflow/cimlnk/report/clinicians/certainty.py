"""What is certain, and what chance alone would do: words for p values, intervals and false discovery rates."""

from __future__ import annotations

import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.vocabulary import NK
from cimlnk.dynamics.tables import METHODS
from cimlnk.report.run import Run

from .words import fold, named, small

ALPHA = 0.05  # false discovery rate below which a change is called certain beyond chance


def apart(p: float, floor: float) -> str:
    """What a p value of a comparison of arms says, in words."""
    if p < ALPHA:
        return "the arms differ beyond chance"
    return "so few patients cannot show a difference" if floor >= ALPHA else "a difference is not certain"


def verdict(tests: pd.DataFrame, n: int) -> str:
    """Whether the patients' NK cells changed beyond chance: the first words of the ninth answer.

    Parameters
    ----------
    tests
        Primary rows of TESTS on all NK cells per microlitre, one a day; an interval that leaves out no change counts
        only where the false discovery rate over the days is below :data:`ALPHA`.
    n
        Patients with a fold.
    """
    if not len(tests):
        return "Not certain: no change over the counts before infusion could be tested" + (
            f", with {count(n, 'patient')}." if n else "."
        )
    sure = tests[tests["fdr"] < ALPHA]
    up, down = sure[sure["effect_low"] > 0], sure[sure["effect_high"] < 0]
    days = [str(c).split(": ", 1)[-1].split(" vs ")[0] for c in (up if len(up) else down)["contrast"]]
    if len(up) or len(down):
        what = f"were {'more' if len(up) else 'fewer'} than before on {named(days)}"
        if 2 / 2**n < ALPHA:
            return f"Certain beyond chance: NK cells {what} (false discovery rate below {ALPHA:.0%})."
        return (
            f"Likely, but not certain: by a model NK cells {what} (false discovery rate below {ALPHA:.0%}), and so few "
            "patients cannot bear the model out."
        )
    return (
        "Not certain: on no day can the change of NK cells over the count before infusion be distinguished from chance."
    )


def certain(run: Run, rows: pd.DataFrame, *, whose: str, bound: float) -> str:
    """Question 9: the verdict, the intervals of the folds and the smallest p that so many patients allow."""
    known = rows.dropna(subset=["peak_fold_low"])
    text = ""
    if len(known):
        sure = int((known["peak_fold_low"] > 1).sum())
        far = int((known["peak_fold_low"] >= bound).sum())
        text = " The 95 % interval of the highest fold (counting, gating and the blood count) lies wholly above "
        if len(known) == 1:
            text = text if sure else text.replace("lies wholly", "does not lie wholly")
            text += f"{bound if far else 1:.0f}."
        else:
            text += f"1 in {sure} and above {bound:.0f} in {far} of {len(known)} {whose}."
        text += " It does not hold how counts vary from day to day, and the highest of several counts lies above their "
        text += "mean by chance alone."
    tests = run.table("dynamics/tests.parquet")
    treated = str(run.config["claims"]["arms"]["treated"])
    own = pd.DataFrame()
    if len(tests):
        own = tests[
            (tests["population"] == NK) & (tests["test"] == "absolute") & tests["p"].notna()
            & tests["primary"] & tests["contrast"].str.startswith(f"{treated}:")
        ]  # fmt: skip
        own = own[own["modality"] == own["modality"].min()]
    if len(own):
        best = own.loc[own["effect"].idxmax()]
        ends = [fold(2 ** float(best[c])) for c in ("effect", "effect_low", "effect_high")]
        text += f" Over {int(best['n_patients'])} patients the largest change tested, {best['contrast']}, is {ends[0]} "
        text += f"(95 % interval {ends[1]} to {ends[2]}; {small(float(best['p']))}, {METHODS[str(best['method'])]})."
    n = len(rows.dropna(subset=["peak_fold"]))
    if not text and not n:
        return "Not certain: no change over time could be tested, as there are no counts before and after infusion."
    text = verdict(own, n) + text
    if n:
        text += f" With {count(n, 'patient')} no exact paired test can give a p below {2 / 2**n:.2g}."
    return text
