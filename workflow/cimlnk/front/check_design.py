"""What a design can answer: baselines, batches against time, smallest p and effect at this n; and what a run costs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.cohort.config import fill_defaults
from cimlnk.cohort.design import confounding
from cimlnk.cohort.schemas import config_schema
from cimlnk.cohort.words import count, listed
from cimlnk.common.errors import UserError
from cimlnk.dynamics.abundance.power import detectable as least_effect

from .console import duration
from .design_grid import EACH, design_grid, design_table
from .findings import NOTE, WARN, Findings

# CPU seconds, fitted to the ready cohorts (tiny 203, demo about 840): a rough guide, not a promise.
FIXED, PER_FCS, PER_RNA, PER_MILLION = 90.0, 4.0, 8.0, 60.0
WHO_WHEN = "Who was sampled when"  # title of the table


def look_at_design(
    samples: pd.DataFrame, baseline: str, findings: Findings, *, counts: pd.DataFrame | None = None
) -> None:
    """Confounding, baselines and power."""
    for modality, part in confounding(samples).items():
        if part["verdict"] in ("confounded", "partly confounded"):
            findings.add(WARN, f"{modality}: {part['words']}")
    blood = samples[samples["tissue_or_product"] == "blood"]
    rows = []
    for (modality, arm), part in blood.groupby(["modality", "arm"], sort=True):
        several = part.groupby("patient")["timepoint"].nunique() > 1
        with_baseline = set(part.loc[part["timepoint"] == baseline, "patient"])
        paired = len(set(several[several].index) & with_baseline)
        found = detectable(paired) if paired else "nothing: no patient has a baseline and a later day"
        rows.append({"data": modality, "arm": arm, "patients": part["patient"].nunique(),
                     "with baseline and later": paired, "smallest p": smallest_p(paired),
                     "found with 80 % power": found})  # fmt: skip
        if 0 < paired < 6:
            findings.add(NOTE, f"{modality}, arm {arm}: with {count(paired, 'patient')} a sign test cannot go below "
                               f"p = {smallest_p(paired):.3g}")  # fmt: skip
    findings.tables["What the number of patients allows"] = pd.DataFrame(rows)
    between = between_arms(blood)
    if len(between):
        findings.tables["What it allows between arms, in their first blood"] = between
    if blood["patient"].nunique() == 1 and len(blood) > 1:
        findings.add(WARN, "all samples are of one patient: nothing can be tested")
    if blood["timepoint"].nunique() == 1 and len(blood) > 1:
        only = blood["timepoint"].iloc[0]
        counted = (
            counts[counts["nk_per_ul"].notna()] if counts is not None else pd.DataFrame(columns=["patient", "day"])
        )
        days = int(counted.groupby("patient")["day"].nunique().max()) if len(counted) else 0
        told = "no change can be determined, only how patients differ"
        if days > 1:
            told = f"how the kinds of NK cells change cannot be determined, only their number (counted on {days} days)"
        findings.add(WARN, f"all files of blood are of one time point ({only}): {told}")
    vague = samples[samples["patient"] == "unknown"]
    if len(vague):
        findings.add(WARN, f"patient 'unknown' has {count(len(vague), 'sample')}: the sheet does not say whose")


def who_when(samples: pd.DataFrame, findings: Findings) -> None:
    """A line about the cohort, and who was sampled when, as the sheet has it: slips in it show here.

    A patient a row, a time point a column in the order of days; a cell has the files, what they are of, and batches.
    Of many patients also a grid of at most a screen.
    """
    arms = samples.drop_duplicates("patient").groupby("arm", sort=True).size()
    times = samples.sort_values(["day", "timepoint"])["timepoint"].drop_duplicates()
    parts = [f"{count(len(samples), 'file')} of {count(samples['patient'].nunique(), 'patient')}"]
    if len(arms) > 1:
        parts.append(f"{count(len(arms), 'arm')} ({listed([f'{arm} {n}' for arm, n in arms.items()])})")
    parts += [f"{count(len(times), 'time point')} ({listed(list(times))})", count(samples["batch"].nunique(), "batch")]
    findings.summary = ", ".join(parts)
    findings.tables[WHO_WHEN] = design_table(samples)
    findings.page_only.add(WHO_WHEN)
    if samples["patient"].nunique() > EACH:
        findings.grid = design_grid(samples)


def look_at_arms(samples: pd.DataFrame, cfg: Mapping[str, Any], findings: Findings) -> None:
    """Arms that the config names, other than by default, and the sample sheet does not have."""
    defaults = fill_defaults({}, config_schema())
    arms = sorted(samples["arm"].dropna().unique())
    named = {f"claims.arms.{key}": (arm, defaults["claims"]["arms"][key]) for key, arm in cfg["claims"]["arms"].items()}
    state = "dynamics.state.reference_arm"
    named[state] = cfg["dynamics"]["state"]["reference_arm"], defaults["dynamics"]["state"]["reference_arm"]
    for key, (arm, default) in named.items():
        if arm is not None and arm != default and arm not in arms:
            expected = f"an arm of {cfg['cohort']['samples']} ({listed(arms)}), so nothing is compared with it"
            findings.add(WARN, str(UserError("config", key, arm, expected, arms)))


def look_at_repeats(samples: pd.DataFrame, findings: Findings) -> None:
    """Several files of one patient, day, tissue and modality: repeats, or a day or patient typed wrongly.

    Repeats in several batches are the material of a batch correction.
    """
    known = samples[samples["patient"] != "unknown"]
    told: dict[bool, list[str]] = {True: [], False: []}
    for (patient, day, tissue, modality), rows in known.groupby(
        ["patient", "day", "tissue_or_product", "modality"], sort=True
    ):
        if len(rows) > 1:
            of = f"{patient}, day {day:g}, {modality} of {tissue}: {listed(list(rows['sample']))}"
            told[bool(rows["batch"].is_unique)].append(of)
    for in_batches, level in ((False, WARN), (True, NOTE)):
        if told[in_batches]:
            where = " in several batches" if in_batches else ""
            shown = "; ".join(told[in_batches][:3]) + (" …" if len(told[in_batches]) > 3 else "")
            n = count(len(told[in_batches]), "day")
            findings.add(level, f"several files{where} of one patient and day, on {n} ({shown}): are they repeats? "
                                "Each is a sample of its own, and tests take their mean")  # fmt: skip


def smallest_p(n: int) -> float:
    """Two-sided p of an exact sign test in which all `n` patients agree; NaN without patients.

    Examples
    --------
    >>> smallest_p(6)
    0.03125
    """
    return 2 / 2**n if n else float("nan")


def between_arms(blood: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """Arm against arm in the patients' first blood: smallest p of an exact rank sum, and what a t test would find.

    The first `most` pairs of arms of a modality; no rows for a single arm.

    Examples
    --------
    >>> import pandas as pd
    >>> arms = pd.DataFrame({"modality": "cytof", "arm": list("aaabbb"), "patient": list("123456")})
    >>> between_arms(arms).to_dict("records")  # doctest: +NORMALIZE_WHITESPACE
    [{'data': 'cytof', 'arms': 'a (3) and b (3)', 'smallest p': 0.1,
      'found with 80 % power': '3.1 SD of the patients'}]
    """
    rows = []
    for modality, part in blood.groupby("modality", sort=True):
        n = part.groupby("arm", sort=True)["patient"].nunique()
        for one, other in list(combinations(n.index, 2))[:most]:
            a, b = int(n[one]), int(n[other])
            few = min(a, b) < 2
            effect = "" if few else f"{least_effect((1 / a + 1 / b) ** 0.5, a + b - 2):.2g} SD of the patients"
            rows.append({"data": modality, "arms": f"{one} ({a}) and {other} ({b})",
                         "smallest p": min(1.0, 2 / comb(a + b, a)),
                         "found with 80 % power": effect or "nothing: too few patients"})  # fmt: skip
    return pd.DataFrame(rows)


def detectable(n: int) -> str:
    """Smallest paired difference found with 80 % power at p < .05, in SD of the patients' differences (paired t)."""
    if n < 3:
        return "nothing: too few patients"
    return f"{least_effect(n**-0.5, n - 1):.2g} SD of the patients' differences"


def look_at_costs(events: int, n_fcs: int, n_rna: int, *, paths: list[Path], cores: int, findings: Findings) -> None:
    """Rough time, memory and disk of a run."""
    seconds = FIXED + PER_FCS * n_fcs + PER_RNA * n_rna + PER_MILLION * events / 1e6
    size = sum(_size(p) for p in paths)
    memory = 3 + 2 * events / 1e6 * 0.2
    time, disk = duration(seconds / max(cores, 1)), max(0.1, 1.2 * size / 1e9)
    text = f"a run takes about {time} on {cores} cores, {memory:.0f} GB of memory and {disk:.1f} GB of disk (rough)"
    findings.add(NOTE, text)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    return path.stat().st_size if path.is_file() else 0
