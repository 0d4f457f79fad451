"""Facts that hold between rows and between sheets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cimlnk.common.errors import Plain, Problems

from .read import LINE
from .units import odd_units
from .words import listed


def check_samples(samples: pd.DataFrame, cfg: Mapping[str, Any], problems: Problems) -> None:
    """Ids unique (also where case does not count), one arm per patient, labels that follow the days."""
    file = cfg["cohort"]["samples"]
    _unique_ids(samples, "sample", file, problems=problems)
    _check_spelling(samples, "patient", file, problems=problems)
    _check_arms(samples, file, cfg, problems=problems)
    known = samples[samples["arm"].isin(_arms(samples, cfg))]  # others have been reported
    for patient, rows in known.dropna(subset=["patient"]).groupby("patient", sort=True):
        first = rows.iloc[0]
        for row in rows[rows["arm"] != first["arm"]].to_dict("records"):
            expected = f"{first['arm']!r} as in row {first[LINE]}, since patient {patient} has one arm"
            problems.add(file, f"row {row[LINE]}, column arm", row["arm"], expected)
    _check_timepoints(samples, cfg, problems)


def check_baselines(
    samples: pd.DataFrame,
    cfg: Mapping[str, Any],
    problems: Problems,
    *,
    warnings: list[str],
    counts: pd.DataFrame | None = None,
) -> None:
    """At most one baseline (blood at ``dynamics.baseline_timepoint``) per patient and modality, not after infusion.

    Patients without one are warned of, in one line a modality; those with a count before infusion have folds of counts.
    """
    file = cfg["cohort"]["samples"]
    label = cfg["dynamics"]["baseline_timepoint"]
    blood = samples[(samples["tissue_or_product"] == "blood") & samples["timepoint"].notna()]
    baseline = blood[blood["timepoint"] == label]
    labels = list(dict.fromkeys(blood.sort_values("day")["timepoint"]))
    counted = _counted_before(blood, counts)
    if baseline.empty and labels and (blood["day"] > 0).all() and (len(labels) > 1 or counted):
        words = f"no blood sample at day 0 or before (the first is {labels[0]!r}): no baseline, so no folds"
        warnings.append(f"{words} but those of NK counts ({_patients(sorted(counted))})" if counted else words)
        return
    if baseline.empty and len(labels) > 1:
        expected = f"a time point of the blood samples in {file}: {', '.join(labels)}"
        problems.add("config", "dynamics.baseline_timepoint", label, expected, labels)
        return
    for (patient, modality), rows in baseline.groupby(["patient", "modality"], sort=True):
        for row in rows.iloc[1:].to_dict("records"):
            first = f"row {rows.iloc[0][LINE]} is the {modality} baseline of {patient}"
            expected = f"one baseline per patient and modality, but {first}"
            problems.add(file, f"row {row[LINE]}, column timepoint", label, expected)
    for row in baseline[baseline["day"] > 0].to_dict("records"):
        problems.add(file, f"row {row[LINE]}, column day", int(row["day"]), f"at most 0, as {label!r} is the baseline")
    if len(labels) < 2:  # a cohort of one time point has nothing to be compared with a baseline
        return
    for modality, rows in blood.dropna(subset=["patient"]).groupby("modality", sort=True):
        without = sorted(set(rows["patient"]) - set(rows.loc[rows["timepoint"] == label, "patient"]))
        for names, end in (
            ([p for p in without if p in counted], "folds only from the counts sheet"),
            ([p for p in without if p not in counted], "no NK count before infusion either, so no folds"),
        ):
            if names:
                have = f"{_patients(names)} {'has' if len(names) == 1 else 'have'}"
                warnings.append(f"{have} no {modality} blood sample at {label}: {end}")


def _counted_before(blood: pd.DataFrame, counts: pd.DataFrame | None) -> set[str]:
    """Patients with NK cells per microlitre before infusion: counted, or lymphocytes on a day with a file."""
    if counts is None:
        return set()
    before = counts[counts["day"] <= 0]
    days = set(zip(blood["patient"], blood["day"], strict=True))
    with_file = pd.Series([d in days for d in zip(before["patient"], before["day"], strict=True)], before.index, bool)
    of_nk, of_lymphocytes = before["nk_per_ul"].notna(), before["lymphocytes_per_ul"].notna()
    known = (of_nk & (with_file | (before["day"] < 0))) | (of_lymphocytes & with_file)
    return set(before.loc[known, "patient"].dropna())


def check_patients(
    patients: pd.DataFrame,
    samples: pd.DataFrame | None,
    cfg: Mapping[str, Any],
    *,
    problems: Problems,
    warnings: list[str],
) -> None:
    """One row per patient; every patient of the samples is there, in the same arm."""
    file, sample_file = cfg["cohort"]["patients"], cfg["cohort"]["samples"]
    _unique_ids(patients, "patient", file, problems=problems)
    _check_arms(patients, file, cfg, problems=problems)
    for row in patients[patients["il2_received"] > patients["il2_planned"]].to_dict("records"):
        expected = f"at most the {row['il2_planned']:g} doses planned"
        problems.add(file, f"row {row[LINE]}, column il2_received", row["il2_received"], expected)
    if samples is None:
        return
    arms = dict(zip(patients["patient"], patients["arm"], strict=True))
    known_arms = {*_arms(samples, cfg), *_arms(patients, cfg)}  # others have been reported
    for row in samples.dropna(subset=["patient"]).drop_duplicates("patient").to_dict("records"):
        if row["patient"] not in arms:
            where, known = f"row {row[LINE]}, column patient", sorted(map(str, arms))
            problems.add(sample_file, where, row["patient"], f"a patient of {file}", known)
        elif {row["arm"], arms[row["patient"]]} <= known_arms and arms[row["patient"]] != row["arm"]:
            expected = f"{arms[row['patient']]!r} as {file} says of patient {row['patient']}"
            problems.add(sample_file, f"row {row[LINE]}, column arm", row["arm"], expected)
    without = sorted(set(patients["patient"].dropna()) - set(samples["patient"]))
    if without:
        warnings.append(f"{_patients(without)} of {file} {'has' if len(without) == 1 else 'have'} no sample")


def check_functional(
    functional: pd.DataFrame, samples: pd.DataFrame | None, cfg: Mapping[str, Any], *, problems: Problems
) -> None:
    """Every reading is of a product of the sample sheet."""
    if samples is None:
        return
    products = sorted(samples.loc[samples["tissue_or_product"] == "product", "sample"].dropna())
    for row in functional[~functional["sample"].isin(products)].dropna(subset=["sample"]).to_dict("records"):
        where, expected = f"row {row['row']}, column sample", f"a product of {cfg['cohort']['samples']}"
        problems.add(cfg["cohort"]["functional"], where, row["sample"], expected, products)


def check_counts(
    counts: pd.DataFrame,
    samples: pd.DataFrame | None,
    patients: pd.DataFrame | None,
    *,
    cfg: Mapping[str, Any],
    problems: Problems,
    warnings: list[str],
) -> None:
    """Known patients, one row per patient and day, NK not above lymphocytes; blood samples without a count are told."""
    file = cfg["cohort"]["counts"]
    known = set() if samples is None else set(samples["patient"].dropna())
    known |= set() if patients is None else set(patients["patient"].dropna())
    for row in counts.dropna(subset=["patient"]).to_dict("records"):
        if known and row["patient"] not in known:
            expected = f"a patient of {cfg['cohort']['samples']}"
            problems.add(file, f"row {row[LINE]}, column patient", row["patient"], expected, sorted(known))
    for (patient, day), rows in counts.dropna(subset=["patient", "day"]).groupby(["patient", "day"], sort=True):
        for row in rows.iloc[1:].to_dict("records"):
            expected = f"one row per patient and day, but row {rows.iloc[0][LINE]} is {patient}, day {day:g}, too"
            problems.add(file, f"row {row[LINE]}, column day", int(day), expected)
    for row in counts[counts["nk_per_ul"] > counts["lymphocytes_per_ul"]].to_dict("records"):
        expected = f"at most the {row['lymphocytes_per_ul']:g} lymphocytes per microlitre of that day"
        problems.add(file, f"row {row[LINE]}, column nk_per_ul", row["nk_per_ul"], expected)
    nothing = counts[["nk_per_ul", "lymphocytes_per_ul", "il2_dose"]].isna().all(axis=1) & counts["event"].isna()
    for row in counts[nothing].to_dict("records"):
        # A wrong cell has been reported already; only rows that are truly empty are reported here.
        if not any(e.where.startswith(f"row {row[LINE]},") and e.file == file for e in problems.errors):
            problems.add(file, f"row {row[LINE]}", Plain("no count, no dose and no event"), "at least one of them")
    warnings += odd_units(counts, file)
    if samples is not None:
        counted = set(zip(counts["patient"], counts["day"], strict=True))
        blood = samples[samples["tissue_or_product"] == "blood"].drop_duplicates(["patient", "day"])
        told = blood.dropna(subset=["patient", "day"])
        absent = [
            f"patient {patient} on day {day:g}"
            for patient, day in zip(told["patient"], told["day"], strict=True)
            if (patient, day) not in counted
        ]
        if absent:
            warnings.append(f"{file} has no count of {listed(absent)}: no absolute numbers")


def _patients(names: list[str]) -> str:
    return f"patient{'s' if len(names) > 1 else ''} {listed(names)}"


def _unique_ids(table: pd.DataFrame, column: str, file: str, *, problems: Problems) -> None:
    """Every id once, and not twice where upper and lower case are the same file (macOS, Windows)."""
    seen: dict[str, tuple[str, int]] = {}
    for name, row in zip(table[column], table[LINE], strict=True):
        if name is None:
            continue
        if len(name.encode()) > 150:  # with prefixes and suffixes a file name must stay below 255 bytes
            problems.add(file, f"row {row}, column {column}", name, "a name of at most 150 bytes in UTF-8")
        other, line = seen.setdefault(name.casefold(), (name, row))
        if line != row:
            how = "this is" if other == name else f"{other!r}, which is the same file name on some systems, is"
            problems.add(file, f"row {row}, column {column}", name, f"every {column} once, but {how} in row {line} too")


def _check_spelling(table: pd.DataFrame, column: str, file: str, *, problems: Problems) -> None:
    """One name in two spellings of case (P1 and p1) is a slip, and would be one page (or arm) in the report."""
    seen: dict[str, tuple[str, int]] = {}
    for name, row in zip(table[column], table[LINE], strict=True):
        if name is not None:
            other, line = seen.setdefault(name.casefold(), (name, row))
            if other != name:
                problems.add(file, f"row {row}, column {column}", name, f"{other!r} as in row {line}, or another name")


def _arms(sheet: pd.DataFrame, cfg: Mapping[str, Any]) -> list[str]:
    """The arms of the config, or those of a sheet where the config leaves them to it."""
    arms = cfg["cohort"]["arms"]
    return list(arms) if arms is not None else sorted(sheet["arm"].dropna().unique())


def _check_arms(table: pd.DataFrame, file: str, cfg: Mapping[str, Any], *, problems: Problems) -> None:
    arms = cfg["cohort"]["arms"]
    if arms is None:  # any word is an arm: a slip shows in its spelling alone
        _check_spelling(table, "arm", file, problems=problems)
        return
    for row in table[table["arm"].notna() & ~table["arm"].isin(arms)].to_dict("records"):
        expected = f"one of cohort.arms in the config ({', '.join(arms)})"
        problems.add(file, f"row {row[LINE]}, column arm", row["arm"], expected, arms)


def _check_timepoints(samples: pd.DataFrame, cfg: Mapping[str, Any], problems: Problems) -> None:
    """A label is one day (within the window), and a day of an arm and tissue has one label."""
    file, window = cfg["cohort"]["samples"], cfg["cohort"]["timepoint_window"]
    known = samples.dropna(subset=["timepoint", "day", "tissue_or_product"])
    for (tissue, label), rows in known.groupby(["tissue_or_product", "timepoint"], sort=True):
        if rows["day"].nunique() == 1:
            continue
        common = rows["day"].mode().min()
        for row in rows[(rows["day"] - common).abs() > window].to_dict("records"):
            near = "" if window == 0 else f" give or take {window}"
            expected = (
                f"day {common:g}{near}, as the other {tissue} samples of time point {label!r} (cohort.timepoint_window)"
            )
            problems.add(file, f"row {row[LINE]}, column day", int(row["day"]), expected)
    for (arm, tissue, day), rows in known.dropna(subset=["arm"]).groupby(
        ["arm", "tissue_or_product", "day"], sort=True
    ):
        if rows["timepoint"].nunique() == 1:
            continue
        common = rows["timepoint"].mode().min()
        first = rows[rows["timepoint"] == common].iloc[0]
        for row in rows[rows["timepoint"] != common].to_dict("records"):
            expected = f"{common!r} as in row {first[LINE]}: {tissue} of arm {arm} on day {day:g} has one label"
            problems.add(file, f"row {row[LINE]}, column timepoint", row["timepoint"], expected)
