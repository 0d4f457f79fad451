"""Warnings drawn from the sheets, the design, and what the reading of the files noted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.dynamics.baseline import before_infusion

from .collect import warning


def of_design(design: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Batches that cannot be distinguished from time, arm or tissue."""
    rows = []
    for modality, part in sorted(design.get("modalities", {}).items()):
        if part["verdict"] in ("confounded", "partly confounded"):
            severity = "serious" if part["verdict"] == "confounded" else "caution"
            rows.append(
                warning(modality, "cohort", "batch confounded", severity=severity, text=part["words"], subject="batch")
            )
    return rows


def of_sheets(samples: pd.DataFrame, counts: pd.DataFrame, baseline: str) -> list[dict[str, Any]]:
    """Patients without a baseline, in a table each; days without a blood count where others have one, or with none."""
    rows = []
    blood = samples[samples["tissue_or_product"] == "blood"]
    for modality, part in blood.groupby("modality", sort=True, observed=True):
        several = part.groupby("patient")["timepoint"].nunique() > 1
        has = part[part["timepoint"] == baseline]["patient"].unique()
        for patient in sorted(set(several[several].index) - set(has)):
            mine = counts[counts["patient"] == patient] if len(counts) else counts
            # a count has no time point of its own: on day 0 nothing says that it was drawn before infusion
            if len(mine) and before_infusion(mine.assign(timepoint=""), baseline).any():
                continue
            text = f"patient {patient} has no blood sample at {baseline!r}: no fold change and no paired test"
            rows.append(
                warning(
                    str(modality), "cohort", "baseline missing", severity="caution", text=text, subject=str(patient)
                )
            )
    if len(counts):
        known = set(zip(counts["patient"], counts["day"], strict=True))
        for row in blood.drop_duplicates(["patient", "day"]).to_dict("records"):
            if (row["patient"], row["day"]) not in known:
                text = f"no blood count of patient {row['patient']} on day {row['day']}: fractions only"
                rows.append(
                    warning("all", "cohort", "count missing", severity="note", text=text, subject=str(row["patient"]))
                )
        for row in counts[counts["nk_per_ul"] == 0].to_dict("records"):
            text = f"0 NK cells/µL of patient {row['patient']} on day {row['day']}: zero has no logarithm, so that "
            text += "this day is in no test of cells/µL; a loss of all NK cells is not found by them"
            rows.append(
                warning("all", "cohort", "count of zero", severity="caution", text=text, subject=str(row["patient"]))
            )
    return rows


def of_hashes(modality: str, hashes: Mapping[str, str]) -> list[dict[str, Any]]:
    """Samples whose raw files are the same to the byte; `hashes` is sample -> sha256."""
    groups: dict[str, list[str]] = {}
    for sample, digest in hashes.items():
        groups.setdefault(digest, []).append(sample)
    rows = []
    for names in groups.values():
        for sample in names[1:]:
            text = f"the file of {sample} is the file of {names[0]}, byte for byte"
            rows.append(
                warning(
                    modality,
                    "cohort",
                    "same file twice",
                    severity="serious",
                    text=text,
                    sample=sample,
                    subject=names[0],
                )
            )
    return rows


def of_records(modality: str, records: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the reading of every file noted: channels without signal or saturated, labels unlike the panel sheet."""
    rows = []
    for sample, record in records.items():
        for flag in record.get("flags", []):
            saturated = "saturated" in flag
            kind = "channel saturated" if saturated else "channel without signal"
            severity = "note" if saturated else "caution"
            rows.append(
                warning(
                    modality, modality, kind, severity=severity, text=flag, sample=sample, subject=flag.split(":")[0]
                )
            )
        if record.get("foreign"):
            text = f"the file {record['foreign']}"
            rows.append(warning(modality, modality, "instrument", severity="serious", text=text, sample=sample))
        for marker, channel, label in record.get("conflicts", []):
            text = f"the panel sheet says {marker} on {channel}, the file says {label}; the sheet was followed"
            kind = "label differs from the panel"
            rows.append(warning(modality, modality, kind, severity="serious", text=text, sample=sample, subject=marker))
    return rows


def of_availability(availability: pd.DataFrame, modality: str = "cytof") -> list[dict[str, Any]]:
    """Markers that were measured in some files only."""
    rows = []
    for marker, part in availability.groupby("marker", sort=True):
        without = list(part.loc[~part["measured"], "sample"])
        if without:
            names = ", ".join(without[:5]) + (" …" if len(without) > 5 else "")
            text = f"{marker} was not measured in {len(without)} of {len(part)} files ({names}): not used for clusters "
            text += "and names, and compared only where it was measured"
            rows.append(
                warning(
                    modality, modality, "marker not in every file", severity="caution", text=text, subject=str(marker)
                )
            )
    return rows


def of_values(
    values: np.ndarray, markers: list[str], batches: list[str], *, batch: np.ndarray, modality: str = "cytof"
) -> list[dict[str, Any]]:
    """Markers that are exactly zero in every event of a batch."""
    rows = []
    for code, name in enumerate(batches):
        part = values[batch == code]
        if not len(part):
            continue
        for column in np.flatnonzero(~part.any(axis=0)):
            text = f"{markers[column]} is zero in all {len(part):,} events of batch {name}"
            rows.append(
                warning(modality, modality, "marker all zero", severity="serious", text=text, subject=markers[column])
            )
    return rows
