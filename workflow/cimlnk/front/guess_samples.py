"""A sample sheet from a describing table, file names and acquisition dates; every guess says where it is from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from .marks import BETWEEN, plain_reason
from .words_of_names import BASAL, day_of, parts_of_names, run_of_all

# Column names of describing tables, best first, by what they mean here.
COLUMNS = {
    "patient": "patient patient_id donor donor_id subject subject_id subject_accession individual participant "
    "participant_id volunteer",
    "day": "day study_day days day_of_sampling study_time_collected",
    "timepoint": "timepoint time_point visit visit_name planned_visit_name time stimulation",
    "arm": "arm group treatment_arm arm_name arm_or_cohort arm_or_cohort_name arm_accession cohort cohort_name disease "
    "diagnosis status",
    "batch": "batch run plate acquisition pool chip experiment",
    "tissue_or_product": "tissue tissue_or_product source material biosample_type sample_type specimen_type",
    "condition": "condition treatment stim",
}
UNTOLD = "all"  # the arm of patients about whose arms nothing is said
# What a table may say once for all its files; of the others a column without differences is uninformative.
CONSTANT = ("patient", "day", "tissue_or_product")
UNIT = ("study_time_collected_unit", "day_unit", "time_unit")  # of the days
DAYS_IN = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.0, "year": 365.0}
TISSUES = {
    "product": r"(?i)product|infusion|graft",
    "donor": r"(?i)^donor",
    "blood": r"(?i)blood|pbmc|mononuclear|leukocyte",
}


def guess_samples(
    files: Mapping[str, tuple[str, str]],
    described: pd.DataFrame | None = None,
    table: str = "",
    *,
    dates: Mapping[str, date | None] | None = None,
) -> pd.DataFrame:
    """A sample sheet, one row per file, with the column ``?`` that says of each guess where it is from.

    Parameters
    ----------
    files
        Name (of file or 10x folder) -> path as the sheet will have it, and modality.
    described
        A table about the files, indexed by their names; `table` is its name.
    dates
        Acquisition dates.
    """
    names = list(files)
    stems = {n: re.sub(r"(?i)\.(fcs|h5ad|h5)$", "", n) for n in names}
    by_stem = parts_of_names(list(stems.values()))
    columns = _columns(described) if described is not None else {}
    unit = next((c for c in ([] if described is None else described.columns) if _plain(c) in UNIT), "")
    dates = dates or {}
    several_dates = len({d for d in dates.values() if d}) > 1
    named = {words.get("batch", "") for words in by_stem.values()}
    of_all = next(iter(named)) if len(named) == 1 and "batch" not in columns else ""
    rows = []
    for name in names:
        doubts: list[str] = []

        def take(what: str, fallback: str, name: str = name, *, doubts: list[str] = doubts) -> str:
            if what in columns and described is not None:
                value = str(described[columns[what]].get(name, "")).strip()
                if value and value.lower() != "nan":
                    doubts.append(f"{what}: column {columns[what]} of {table}")
                    return value
            word = by_stem[stems[name]].get(what)
            doubts.append(f"{what}: {'from the file name' if word else 'nothing says so'}")
            return word or fallback

        patient = take("patient", "p1" if len(names) == 1 else "unknown")
        condition = take("condition", "") if "condition" in columns or by_stem[stems[name]].get("condition") else ""
        label = by_stem[stems[name]].get("timepoint") or ""
        if "timepoint" in columns or label:
            label = take("timepoint", label)
        elif condition:
            doubts[-1] = doubts[-1].replace("condition:", "timepoint:", 1)
        tissue = by_stem[stems[name]].get("tissue", "blood")
        if "tissue_or_product" in columns:
            said = take("tissue_or_product", tissue)
            known = next((t for t, words in TISSUES.items() if re.search(words, said)), None)
            if known is None:
                doubts[-1] = f"tissue_or_product: {_label(said)} is neither blood, product nor donor"
            tissue = known or tissue
        batch = take("batch", "")
        untold = not batch or (of_all and batch == of_all)  # days tell more apart than a word that all names have
        if untold and several_dates and dates.get(name):
            batch, doubts[-1] = f"{dates[name]:%Y-%m-%d}", "batch: the acquisition date"
        arm = take("arm", UNTOLD) if "arm" in columns else UNTOLD
        if arm == UNTOLD and "arm" not in columns:
            doubts.append("arm: nothing says so")
        path, modality = files[name]
        day: object = day_of(label)
        if "day" in columns and described is not None:
            said_unit = described.get(unit, pd.Series(dtype=object)).get(name)
            given = days_in(described[columns["day"]].get(name), said_unit)
            if given is not None:
                day = given
                doubts.append(f"day: column {columns['day']} of {table}")
        rows.append({"sample": _id(stems[name]), "patient": _id(patient), "day": day, "timepoint": label or condition,
                     "arm": arm, "tissue_or_product": tissue,
                     "modality": modality, "path": path, "batch": _label(batch) or "run1",
                     "?": BETWEEN.join(map(plain_reason, doubts)),
                     "_basal": bool(BASAL.match(condition or label))})  # fmt: skip
    frame = pd.DataFrame(rows)
    if hint := groups_of(frame["patient"]):
        frame["?"] = frame["?"].str.replace("arm: nothing says so", f"arm: nothing says so ({hint})")
    if hint := run_of_all(list(stems.values())):
        frame["?"] = frame["?"].str.replace("batch: nothing says so", f"batch: nothing says so ({hint})")
    return _days(frame)


def groups_of(patients: pd.Series) -> str:
    """What the letters before the patients' numbers may say, in words; "" if nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> groups_of(pd.Series(["H1", "H2", "S1", "S2"])), groups_of(pd.Series(["P1", "P2"]))
    ('names begin with H, S: are these arms?', '')
    """
    hits = [re.fullmatch(r"([A-Za-z]{1,4})[-_ ]?\d+", p) for p in patients.drop_duplicates()]
    letters = pd.Series([h[1] for h in hits if h]).value_counts() if all(hits) else pd.Series(dtype=int)
    if not 2 <= len(letters) <= 4 or letters.min() < 2:
        return ""
    return f"names begin with {', '.join(sorted(letters.index))}: are these arms?"


def _days(frame: pd.DataFrame) -> pd.DataFrame:
    """Days and time points where the names gave none: 0 for one file a patient, else numbered with the basal first."""
    frame["day"] = pd.to_numeric(frame["day"], errors="coerce")
    labels = list(dict.fromkeys(frame.sort_values("_basal", ascending=False, kind="stable")["timepoint"]))
    lacking = frame["day"].isna()
    repeated = frame.groupby(["patient", "modality"])["sample"].transform("size") > 1
    for i in frame.index[lacking]:
        label = frame.at[i, "timepoint"]
        number = labels.index(label) if label and repeated[i] else 0
        frame.at[i, "day"] = number
        frame.at[i, "timepoint"] = label or "sampled"
        why = "day: the time points in order, the first is 0" if number or label else "day: nothing says so"
        frame.at[i, "?"] = f"{frame.at[i, '?']}{BETWEEN}{why}"
    told = ~lacking & ~frame["?"].str.contains("day: column ", regex=False)
    frame.loc[told, "?"] = frame.loc[told, "?"] + f"{BETWEEN}day: by the time point's name"
    frame["day"] = frame["day"].astype(int)
    frame["timepoint"] = [_label(t) or f"D{d}" for t, d in zip(frame["timepoint"], frame["day"], strict=True)]
    return frame.drop(columns="_basal")


def _columns(table: pd.DataFrame) -> dict[str, str]:
    """What -> the column of a describing table that says it; one that is the same everywhere says little else than
    whose and of what the files are."""
    plain = {_plain(c): str(c) for c in table.columns}
    found: dict[str, str] = {}
    for what, words in COLUMNS.items():
        for word in words.split():
            if word not in plain or plain[word] in found.values():
                continue
            levels = table[plain[word]].nunique()
            if levels > 1 or levels == 1 and what in CONSTANT:
                found[what] = plain[word]
                break
    return found


def used_columns(table: pd.DataFrame) -> set[str]:
    """The columns of a describing table that a draft reads."""
    return {*_columns(table).values(), *(str(c) for c in table.columns if _plain(c) in UNIT)}


def _plain(column: object) -> str:
    return re.sub(r"[^a-z_]", "", str(column).strip().lower().replace(" ", "_"))


def days_in(value: object, unit: object = None) -> int | None:
    """A time as a table has it, in days; None where it is no number, or of a unit that is none.

    Examples
    --------
    >>> days_in("28"), days_in("2", "Weeks"), days_in("-1", "Days"), days_in("pre"), days_in("3", "visits")
    (28, 14, -1, None, None)
    """
    number = pd.to_numeric(str(value).strip(), errors="coerce")
    known = str(unit).strip().lower().removesuffix("s")
    factor = 1.0 if known in ("none", "nan", "") else DAYS_IN.get(known)
    return int(np.floor(number * factor)) if factor is not None and np.isfinite(number) else None


def _id(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("_.-")[:100] or "unnamed"


def _label(text: str) -> str:
    return re.sub(r"[\x00-\x1f<>&\"'`\\$;|*?{}\[\]]", "", str(text)).strip()[:100]
