"""The ten questions of docs/clinicians.md, answered from the tables of a run in plain sentences with their numbers.

Where nobody was infused, those of them that apply.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.vocabulary import MODALITY_WORDS
from cimlnk.report.reading import infused, left_out, rank_sum
from cimlnk.report.run import Run

from .certainty import apart, certain
from .course import KEPT, boosts, expansion_bound, patient_rows
from .subsets import kinds
from .without_infusion import arms_compared, certain_of_arms, kinds_by_arm
from .words import fold, named, on_days, small, span

MOST_WARNINGS = 3


@dataclass(frozen=True)
class Answer:
    """A question and its answer in plain text."""

    question: str
    text: str


def answers(run: Run) -> list[Answer]:
    """All ten, in the order of docs/clinicians.md; where nobody was infused, the five that apply.

    What a cohort cannot answer is said, with the reason.
    """
    rows = patient_rows(run)
    if not infused(run):
        return [
            Answer("Who was studied, and how often?", studied(run, rows)),
            Answer("Which kinds of NK cells were there?", kinds_by_arm(run)),
            Answer("Do the arms differ?", arms_compared(run)),
            Answer("Is it certain?", certain_of_arms(run)),
            Answer("What was left out, and what must be known first?", reservations(run, rows)),
        ]
    mine, others, whose = focus(run, rows)
    return [
        Answer("Who was studied, and how often?", studied(run, rows)),
        Answer("Were the products fit to be given?", products(run)),
        Answer("In whom did the NK cells expand?", expanded(mine, whose, expansion_bound(run))),
        Answer("How far?", how_far(mine, whose)),
        Answer("When?", when(mine, whose, expansion_bound(run))),
        Answer("How long did it last, and who lost the cells?", lasted(mine, whose)),
        Answer("Which kinds of NK cells were they?", kinds(run, mine, whose)),
        Answer("Did other patients do the same?", others_did(run, mine, others, whose=whose)),
        Answer("Is it certain?", certain(run, mine, whose=whose, bound=expansion_bound(run))),
        Answer("What was left out, and what must be known first?", reservations(run, rows)),
    ]


def focus(run: Run, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Rows of the treated arm, those of the others, and whose they are in words; without a treated arm all are one."""
    treated = str(run.config["claims"]["arms"]["treated"])
    own = rows["arm"] == treated
    if not own.any():
        return rows, rows[own], "patients"
    return rows[own], rows[~own], f"{treated} patients"


def studied(run: Run, rows: pd.DataFrame) -> str:
    """Question 1: patients by arm, files, days with a count, CMV viremia."""
    samples = run.samples
    arms = "; ".join(f"{a}: {len(g)} ({named(g['patient'])})" for a, g in rows.groupby("arm", sort=True))
    files = samples["modality"].value_counts()
    kinds = MODALITY_WORDS
    of = " and ".join(f"{count(files[m], 'file')} of {k}" for m, k in kinds.items() if m in files)
    text = f"{count(len(rows), 'patient')}. {arms}. {of}."
    counted = rows[rows["counts"] > 0]
    if len(counted):
        first, last = int(counted["first_day"].min()), int(counted["last_counted"].max())
        text += f" NK cells were counted in blood on {span(counted['counts'].astype(float))} days per patient, "
        text += f"from day {first} to day {last}{' after infusion' if infused(run) else ''}."
    facts = run.table("cohort/patients.parquet")
    if "cmv_viremia" in facts and facts["cmv_viremia"].notna().any():
        positive = facts.loc[facts["cmv_viremia"] == "yes", "patient"]
        text += f" CMV viremia in {len(positive)}" + (f" ({named(positive)})." if len(positive) else ".")
    if run.config.get("simulate"):
        text = "This cohort is synthetic; its patients do not exist. " + text
    return text


def products(run: Run) -> str:
    """Question 2: release of the products by their purity."""
    table = run.table("dynamics/release.parquet")
    if not len(table):
        return "The cohort has no file of a product, so nothing can be said of the products."
    bound = float(table["bound"].iloc[0])
    parts = []
    for decision in ("released", "borderline", "not released", "not decided"):
        own = table[table["decision"] == decision]
        if len(own):
            purities = [_purity(row, limits=decision == "borderline") for row in own.to_dict("records")]
            parts.append(f"{len(own)} {decision} ({named(purities)})")
    text = f"Of {count(len(table), 'product')}, {'; '.join(parts)}."
    return f"{text} Asked were {100 * bound:.0f} % NK cells (CD56+ CD3-) among live cells."


def _purity(row: Mapping[Hashable, Any], limits: bool) -> str:
    if not np.isfinite(row["purity"]):
        return f"{row['patient']}: {row['reason']}"
    between = f", between {100 * row['purity_low']:.0f} and {100 * row['purity_high']:.0f} %" if limits else ""
    return f"{row['patient']} {100 * row['purity']:.0f} %{between}"


def expanded(rows: pd.DataFrame, whose: str, bound: float) -> str:
    """Question 3: who reached `bound` times the own count before infusion, who did not, who is not known."""
    known = rows.dropna(subset=["peak_fold"])
    if not len(known):
        return f"This cannot be said: {'; '.join(sorted(set(rows['reason'].dropna())))}."
    yes, no = known[known["peak_fold"] >= bound], known[known["peak_fold"] < bound]
    text = f"In {len(yes)} of {len(known)} {whose} NK cells per microlitre rose at least {bound:.0f}-fold over the "
    text += "patient's own count before infusion"
    text += f" ({named(yes['patient'])})." if len(yes) else "."
    if len(no):
        less = [f"{r.patient} {fold(r.peak_fold)}" for r in no.itertuples()]
        text += f" Not so far: {named(less)}."
    unknown = rows[rows["peak_fold"].isna()]
    if len(unknown):
        why = "; ".join(sorted(set(unknown["reason"].dropna())))
        text += f" Not known for {named(unknown['patient'])}: {why}."
    return text


def how_far(rows: pd.DataFrame, whose: str) -> str:
    """Question 4: median, lowest and highest of the highest folds, and the cells per microlitre behind them."""
    known = rows.dropna(subset=["peak_fold"]).sort_values("peak_fold")
    if not len(known):
        return "No fold over a count before infusion can be given."
    low, high = known.iloc[0], known.iloc[-1]
    if len(known) == 1:
        own = known["baseline_per_ul"] * known["peak_fold"]
        return (
            f"The highest count of {low['patient']} was {fold(low['peak_fold'])} of the count before: from "
            f"{span(known['baseline_per_ul'])} to {span(own)} NK cells per microlitre."
        )
    text = f"The highest count of the {whose} was a median {fold(float(known['peak_fold'].median()))} of the count "
    text += (
        f"before, from {fold(low['peak_fold'])} ({low['patient']}) to {fold(high['peak_fold'])} ({high['patient']})."
    )
    before, peak = known["baseline_per_ul"], known["baseline_per_ul"] * known["peak_fold"]
    text += f" In NK cells per microlitre: from {span(before)} to {span(peak)}."
    return text


def plateaus(rows: pd.DataFrame) -> str:
    """Whose highest count is not told from earlier ones, in words; "" where all are."""
    long = rows[rows["peak_from"] < rows["peak_day"]]
    if not len(long):
        return ""
    parts = [f"{r.patient} on day {r.peak_from:.0f} (highest on day {r.peak_day:.0f})" for r in long.itertuples()]
    return f" First counts that their error does not tell from the highest: {named(parts)}."


def when(rows: pd.DataFrame, whose: str, bound: float) -> str:
    """Question 5: days of the highest counts, and of the first at `bound`."""
    known = rows.dropna(subset=["peak_day"])
    if not len(known):
        return "No peak can be dated without counts before and after infusion."
    text = f"The highest count of the {whose} was measured {on_days(known['peak_day'])}"
    reached = rows["reached"].dropna()
    if len(reached):
        text += f"; {bound:.0f}-fold was first measured {on_days(reached)}"
    text += f".{plateaus(known)} Only days with a count can be seen; the true peak may lie between them."
    return text


def lasted(rows: pd.DataFrame, whose: str) -> str:
    """Question 6: the last folds, who lost the cells, and whose later counts are not read."""
    known = rows.dropna(subset=["last_fold"])
    if not len(known):
        return "This cannot be said without counts before and after infusion."
    cut = known["event"].notna()
    whole, short = known[~cut], known[cut]
    text = ""
    if len(whole):
        kept = whole[whole["last_fold"] > KEPT]
        text = f"At the last count ({on_days(whole['last_day']).removeprefix('on ')}) {len(kept)} of {len(whole)} "
        text += f"{whose} were still above {KEPT:.0f}-fold; the last count was a median "
        text += f"{fold(float(whole['last_fold'].median()))} of that before."
    if len(short):
        kept = short[short["last_fold"] > KEPT]
        text += f" {boosts(short)}: later counts are not the infusion's alone and are not read. At the last count up "
        text += f"to then ({on_days(short['last_day']).removeprefix('on ')}) "
        if len(short) == 1:
            text += f"they were {fold(float(short['last_fold'].iloc[0]))} of the count before; "
        else:
            text += f"{len(kept)} of these {len(short)} were above {KEPT:.0f}-fold; "
        text += "how long they would have stayed so cannot be said."
    gone = known.dropna(subset=["lost_day"])
    if len(gone):
        days = [f"{r.patient} by day {r.lost_day:.0f} ({fold(r.last_fold)} at the end)" for r in gone.itertuples()]
        text += f" Lost the expansion, {KEPT:.0f}-fold or less and never more again: {named(days)}."
    elif (whole["peak_fold"] > KEPT).any():
        text += f" {'None of the others' if len(short) else 'Nobody'} who had expanded fell back for good."
    never = known[(known["last_fold"] <= KEPT) & known["lost_day"].isna()]
    if len(never):
        text += f" Never above {KEPT:.0f}-fold: {named(never['patient'])}."
    return text.strip()


def others_did(run: Run, mine: pd.DataFrame, others: pd.DataFrame, *, whose: str) -> str:
    """The eighth answer; without the treated arm the arms there are, as the overview compares them."""
    if not len(others) and run.samples["arm"].nunique() > 1:
        return f"No arm is the treated one (claims.arms.treated). {arms_compared(run)}"
    return compared(mine, others, whose=whose, bound=expansion_bound(run))


def compared(mine: pd.DataFrame, others: pd.DataFrame, *, whose: str, bound: float) -> str:
    """Question 8: the other arms beside the treated patients (`mine`), by exact rank sums of the highest folds."""
    if not len(others):
        return "There is no arm without the treatment to compare with, so what the treatment adds cannot be said."
    own = mine["peak_fold"].dropna().to_numpy()
    parts = []
    for arm, group in others.groupby("arm", sort=True):
        theirs = group["peak_fold"].dropna().to_numpy()
        if not len(theirs):
            parts.append(f"{arm}: no fold known")
            continue
        words = f"{arm}: {(theirs >= bound).sum()} of {len(theirs)} rose {bound:.0f}-fold, highest count a median "
        words += f"{fold(float(np.median(theirs)))} of that before"
        if len(own):
            p, floor, reason = rank_sum(own, theirs)
            if np.isfinite(p):
                words += f"; against the {whose} {small(p)} (exact rank sum of the highest folds; the smallest p these "
                words += f"numbers allow is {floor:.2g}): {apart(p, floor)}"
            elif reason:
                words += f"; not tested: {reason}"
        parts.append(words)
    return ". ".join(parts) + ". The arms were not drawn by lot unless the study's protocol says so."


def reservations(run: Run, rows: pd.DataFrame) -> str:
    """Question 10: files left out, patients without a fold, and what the analysis warns of."""
    missing, samples = left_out(run), run.samples
    if len(missing):
        who = [f"{r.sample} ({r.reason})" for r in missing.itertuples()]
        were = "was" if len(missing) == 1 else "were"
        text = f"{len(missing)} of {count(len(samples), 'file')} {were} left out: {named(who)}."
    else:
        text = "No file was left out." if len(samples) == 1 else f"None of the {len(samples)} files was left out."
    reasons = rows.loc[rows["peak_fold"].isna(), "patient"]
    if len(reasons) and infused(run):
        have = "has" if len(reasons) == 1 else "have"
        text += f" {len(reasons)} of {count(len(rows), 'patient')} {have} no fold ({named(reasons)})."
    table = run.table("quality/warnings.parquet")
    if len(table):
        sizes = table["severity"].value_counts()
        serious, caution = int(sizes.get("serious", 0)), int(sizes.get("caution", 0))
        raised = (
            count(n, what) if n else f"no {what}" for n, what in ((serious, "serious warning"), (caution, "caution"))
        )
        text += f" The analysis raised {' and '.join(raised)}"
        lesser = table.loc[table["severity"] == "caution", "kind"].value_counts()
        if caution:  # what they are about; the overview has each
            text += f" ({'; '.join(f'{kind}: {n}' if n > 1 else str(kind) for kind, n in lesser.items())})"
        worst = table[(table["severity"] == "serious") & (table["kind"] != "sample left out")]
        worst = worst.drop_duplicates("kind").head(MOST_WARNINGS)
        text += "".join(f"; {r.kind}: {r.text.rstrip('.')}" for r in worst.itertuples()) + "."
    return text
