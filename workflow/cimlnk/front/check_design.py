"""What a design can answer: baselines, batches against time, smallest p and effect at this n; and what a run costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.cohort.design import confounding
from cimlnk.dynamics.abundance.power import detectable as least_effect

from .console import duration
from .findings import NOTE, WARN, Findings

# CPU seconds, fitted to the ready cohorts (tiny 203, demo about 840): a rough guide, not a promise.
FIXED, PER_FCS, PER_RNA, PER_MILLION = 90.0, 4.0, 8.0, 60.0


def look_at_design(samples: pd.DataFrame, baseline: str, findings: Findings) -> None:
    """Confounding, baselines and power."""
    for modality, part in confounding(samples).items():
        if part["verdict"] in ("confounded", "partly confounded"):
            findings.add(WARN, f"{modality}: {part['words']}")
    blood = samples[samples["tissue_or_product"] == "blood"]
    rows = []
    for (modality, arm), part in blood.groupby(["modality", "arm"], sort=True):
        several = part.groupby("patient")["timepoint"].nunique() > 1
        with_baseline = set(part.loc[part["timepoint"] == baseline, "patient"])
        without = sorted(set(several[several].index) - with_baseline)
        if without:
            names = ", ".join(without[:6]) + (" …" if len(without) > 6 else "")
            findings.add(WARN, f"{modality}, arm {arm}: no blood sample at {baseline!r} of {names}: no folds of them")
        paired = len(set(several[several].index) & with_baseline)
        found = detectable(paired) if paired else "nothing: no patient has a baseline and a later day"
        rows.append({"data": modality, "arm": arm, "patients": part["patient"].nunique(),
                     "with baseline and later": paired, "smallest p": smallest_p(paired),
                     "found with 80 % power": found})  # fmt: skip
        if 0 < paired < 6:
            findings.add(NOTE, f"{modality}, arm {arm}: with {paired} patients a sign test cannot go below "
                               f"p = {smallest_p(paired):.3g}")  # fmt: skip
    findings.tables["What the number of patients allows"] = pd.DataFrame(rows)
    if blood["patient"].nunique() == 1 and len(blood) > 1:
        findings.add(WARN, "all samples are of one patient: nothing can be tested")
    if blood["timepoint"].nunique() == 1 and len(blood) > 1:
        only = blood["timepoint"].iloc[0]
        findings.add(
            WARN, f"all blood is of one time point ({only}): no change can be determined, only how patients differ"
        )
    vague = samples[samples["patient"] == "unknown"]
    if len(vague):
        findings.add(WARN, f"{len(vague)} samples are of patient 'unknown': the sheet does not say whose they are")


def smallest_p(n: int) -> float:
    """Two-sided p of an exact sign test in which all `n` patients agree; NaN without patients.

    Examples
    --------
    >>> smallest_p(6)
    0.03125
    """
    return 2 / 2**n if n else float("nan")


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


def look_at_marks(sheets: Mapping[str, Any], base: Path, findings: Findings) -> None:
    """Guesses of a draft that nobody has confirmed: rows with something in the column ``?``."""
    for kind in ("samples", "panel", "counts", "patients", "antibodies", "donors"):
        name = sheets.get(kind)
        if name is None or not (base / name).is_file() or Path(name).suffix not in (".tsv", ".csv", ".txt"):
            continue
        table = pd.read_csv(base / name, sep=None, engine="python", dtype=str, comment="#")
        if "?" in table and (n := int(table["?"].notna().sum())):
            findings.add(NOTE, f"{name}: {n} rows hold unconfirmed guesses (column ?)")
