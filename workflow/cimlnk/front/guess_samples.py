"""A sample sheet from a describing table, file names and acquisition dates; every guess says where it is from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime

import pandas as pd

# Column names of describing tables, best first, by what they mean here.
COLUMNS = {
    "patient": "patient patient_id donor donor_id subject subject_id individual participant volunteer",
    "day": "day study_day days day_of_sampling",
    "timepoint": "timepoint time_point visit time stimulation",
    "arm": "arm group treatment_arm cohort disease diagnosis status",
    "batch": "batch run plate acquisition pool chip experiment",
    "tissue_or_product": "tissue tissue_or_product source material",
    "condition": "condition treatment stim",
}
DAY = re.compile(r"(?i)^(?:d|day|tag)[_ ]?([+-]?\d{1,4})$")
WEEK = re.compile(r"(?i)^(?:w|wk|week)[-_ ]?(\d{1,3})$")
MONTH = re.compile(r"(?i)^(?:m|mo|month)[-_ ]?(\d{1,3})$|^(\d{1,2})mo$")
BEFORE = re.compile(r"(?i)^(pre|prae|base|baseline|bl|screening|scr|before|pretreatment)$")
BASAL = re.compile(r"(?i)^(ref|reference|unstim|unstimulated|control|ctrl|basal|resting|untreated)$")
PRODUCT = re.compile(r"(?i)^(product|infusion|infused|ip|dp|graft)$")
PERSON = re.compile(
    r"(?i)^(?:p|pt|pat|patient|donor|subj|subject|hd|nd|hc|healthy|ind|id|vol|volunteer|upn|control|ctrl)[-_ ]?\d+\w*$"
)
RUN = re.compile(r"(?i)^(?:run|batch|plate|pool|data|b|chip|exp)[-_ ]?\d+\w*$")
CONDITION = re.compile(r"(?i)^(ref|reference|unstim|basal|ctrl|control|stim|il-?\d+|lps|pma|bcr-?xl)$")
LEAST_NAMED = 0.8  # of the files by one kind of word
DATE_FORMATS = ("%d-%b-%Y", "%Y-%b-%d", "%d-%B-%Y", "%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y")


def parse_date(text: str | None) -> date | None:
    """$DATE of an FCS file (``05-Jul-2016`` and its relatives), None where it is none."""
    for form in DATE_FORMATS:
        try:
            return datetime.strptime((text or "").strip(), form).date()
        except ValueError:
            continue
    return None


def tokens(name: str) -> list[str]:
    """The words of a file name; a word that names a kind and the number behind it are one (``Control_1``)."""
    words = [w for w in re.split(r"[_\s.]+", name) if w]
    joined: list[str] = []
    for word in words:
        if re.fullmatch(r"\d{1,3}", word) and joined and PERSON.match(joined[-1] + word):
            joined[-1] += word
        elif re.fullmatch(r"\d{1,3}", word) and joined and re.fullmatch(r"(?i)day|week|run|batch", joined[-1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def parts_of_names(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Word -> its guessed meaning per file, for the words in which the names differ.

    Returns
    -------
    dict
        File name -> {patient, day, timepoint, tissue, batch, condition}: those that could be told.
    """
    split = {n: tokens(n) for n in names}
    common = set.intersection(*(set(w) for w in split.values())) if len(split) > 1 else set()
    persons = {n: next((w for w in words if PERSON.match(w) and w not in common), None) for n, words in split.items()}
    if sum(p is not None for p in persons.values()) < LEAST_NAMED * len(names):
        persons = dict.fromkeys(names)  # a few chance hits: another word tells the patients
    found: dict[str, dict[str, str]] = {n: {} for n in names}
    free: dict[str, list[str]] = {}
    for name, words in split.items():
        rest = []
        for word in words:
            if word in common:
                continue
            if DAY.match(word) or WEEK.match(word) or MONTH.match(word) or BEFORE.match(word):
                found[name].setdefault("timepoint", word)
            elif PRODUCT.match(word):
                found[name].setdefault("tissue", "product")
                found[name].setdefault("timepoint", word)
            elif word == persons[name]:
                found[name].setdefault("patient", word)
            elif RUN.match(word):
                found[name].setdefault("batch", word)
            elif CONDITION.match(word):
                found[name].setdefault("condition", word)
            else:
                rest.append(word)
        free[name] = rest
    width = min((len(w) for w in free.values()), default=0)
    columns = [[free[n][i] for n in names] for i in range(width)]
    # What is left over: the first free word is the patient if no word said so, else the batch.
    for what in ("patient", "batch"):
        if any(what in f for f in found.values()) or not columns or len(names) < 2:
            continue
        if what == "batch" and len(set(columns[0])) > len(names) / 2:
            continue
        for name, word in zip(names, columns.pop(0), strict=True):
            found[name].setdefault(what, word)
    return found


def day_of(word: str) -> int | None:
    """The day a time point's name says (``D28``, ``week4``, ``pre`` = -1), None if it says none."""
    if hit := DAY.match(word):
        return int(hit[1])
    if hit := WEEK.match(word):
        return 7 * int(hit[1])
    if hit := MONTH.match(word):
        return 30 * int(hit[1] or hit[2])
    return -1 if BEFORE.match(word) else None


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
    dates = dates or {}
    several_dates = len({d for d in dates.values() if d}) > 1
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
        tissue = by_stem[stems[name]].get("tissue", "blood")
        batch = take("batch", "")
        if not batch and several_dates and dates.get(name):
            batch, doubts[-1] = f"{dates[name]:%Y-%m-%d}", "batch: the acquisition date"
        arm = take("arm", "all") if "arm" in columns else "all"
        if arm == "all" and "arm" not in columns:
            doubts.append("arm: nothing says so")
        path, modality = files[name]
        day = described[columns["day"]].get(name) if "day" in columns and described is not None else day_of(label)
        rows.append({"sample": _id(stems[name]), "patient": _id(patient), "day": day, "timepoint": label or condition,
                     "arm": arm, "tissue_or_product": tissue,
                     "modality": modality, "path": path, "batch": _label(batch) or "run1",
                     "?": "; ".join(doubts), "_basal": bool(BASAL.match(condition or label))})  # fmt: skip
    frame = pd.DataFrame(rows)
    if hint := groups_of(frame["patient"]):
        frame["?"] = frame["?"].str.replace("arm: nothing says so", f"arm: nothing says so ({hint})")
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
        frame.at[i, "?"] = f"{frame.at[i, '?']}; {why}"
    told = ~lacking
    frame.loc[told, "?"] = frame.loc[told, "?"] + "; day: by the time point's name"
    frame["day"] = frame["day"].astype(int)
    frame["timepoint"] = [_label(t) or f"D{d}" for t, d in zip(frame["timepoint"], frame["day"], strict=True)]
    return frame.drop(columns="_basal")


def _columns(table: pd.DataFrame) -> dict[str, str]:
    """What -> the column of a describing table that says it (never one that is the same everywhere, but for arms)."""
    plain = {re.sub(r"[^a-z_]", "", str(c).lower().replace(" ", "_")): str(c) for c in table.columns}
    found: dict[str, str] = {}
    for what, words in COLUMNS.items():
        for word in words.split():
            if word in plain and plain[word] not in found.values() and table[plain[word]].nunique() > 1:
                found[what] = plain[word]
                break
    return found


def _id(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("_.-")[:100] or "unnamed"


def _label(text: str) -> str:
    return re.sub(r"[\x00-\x1f<>&\"'`\\$;|*?{}\[\]]", "", str(text)).strip()[:100]
