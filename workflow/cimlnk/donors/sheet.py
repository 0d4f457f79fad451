"""The donor sheet and the persons sheet: read, checked against the sample sheet, files found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.cohort.places import expand
from cimlnk.cohort.read import LINE
from cimlnk.cohort.rows import read_rows
from cimlnk.common.errors import Problems
from cimlnk.common.home import locate

FILES = ("calls", "genotypes", "second")


@dataclass
class DonorSheet:
    """What the sheets say.

    Attributes
    ----------
    rows
        One dict a sample: sample, tool, column, barcodes, labels, second_column, antibody (str or None each), and
        calls, genotypes, second as the sheet has them.
    places
        (sample, ``calls``/``genotypes``/``second``) -> the file on this machine.
    persons
        patient, person, role, sex, antibody; no rows without a sheet.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    places: dict[tuple[str, str], str] = field(default_factory=dict)
    persons: list[dict[str, Any]] = field(default_factory=list)

    def names(self) -> dict[str, dict[str, int]]:
        """Sample -> ``calls``, ``genotypes``, ``second`` -> number of the file in :attr:`files`, the same anywhere."""
        number = {place: i for i, place in enumerate(self.files)}
        found: dict[str, dict[str, int]] = {}
        for (sample, column), place in self.places.items():
            found.setdefault(sample, {})[column] = number[place]
        return found

    @property
    def files(self) -> list[str]:
        """Every file once, in the sheet's order."""
        return list(dict.fromkeys(self.places.values()))


def load_donors(cfg: Mapping[str, Any], base: str | Path, samples: pd.DataFrame) -> DonorSheet:
    """Read and check ``donors.sheet`` and ``donors.persons``.

    Parameters
    ----------
    cfg
        The resolved config.
    base
        Folder to which the sheets' paths (and, without ``cohort.data_root``, the files' paths) refer.
    samples
        SAMPLES.

    Raises
    ------
    UserErrors
        All mistakes of both sheets: unknown samples and patients, rows twice, files that are not there, a column where
        the tool has none, two recipients of a patient.
    """
    settings, problems, base = cfg["donors"], Problems(), Path(base)
    found = DonorSheet()
    if settings["persons"] is not None:
        rows = read_rows(locate(settings["persons"], base), "persons", settings["persons"], problems=problems)
        if rows is not None:
            _check_persons(rows, samples, settings["persons"], problems=problems)
            found.persons = _records(rows)
    if settings["sheet"] is not None:
        rows = read_rows(locate(settings["sheet"], base), "donors", settings["sheet"], problems=problems)
        if rows is not None:
            _check_rows(rows, samples, settings["sheet"], problems=problems)
            root = base / expand(cfg["cohort"]["data_root"])[0] if cfg["cohort"]["data_root"] else base
            found.places = _places(rows, root, settings["sheet"], problems=problems)
            found.rows = _records(rows)
    elif settings["persons"] is not None or settings["references"] is not None:
        problems.add("config", "donors.sheet", None, "a donor sheet, as persons or references are given")
    problems.raise_if_any()
    return found


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    table = rows.drop(columns=LINE)
    return [{k: (None if pd.isna(v) else v) for k, v in row.items()} for row in table.to_dict("records")]


def _check_rows(rows: pd.DataFrame, samples: pd.DataFrame, file: str, *, problems: Problems) -> None:
    modality = samples.set_index("sample")["modality"]
    seen: dict[str, int] = {}
    for row in rows.to_dict("records"):
        sample, where = row["sample"], f"row {row[LINE]}, column "
        if sample is None:
            continue
        if sample not in modality.index:
            problems.add(file, f"{where}sample", sample, "a sample of the sample sheet", list(modality.index))
        elif modality[sample] != "rna":
            known = list(modality.index[modality == "rna"])
            problems.add(file, f"{where}sample", sample, "a sample of modality rna: genotypes are called in RNA", known)
        if sample in seen:
            problems.add(file, f"{where}sample", sample, f"one row a sample, but row {seen[sample]} has it too")
        seen.setdefault(sample, row[LINE])
        for column in ("column", "barcodes"):
            if row[column] is not None and row["tool"] not in (None, "column"):
                expected = f"nothing: {row['tool']} has its own columns (tool = column reads any table)"
                problems.add(file, f"{where}{column}", row[column], expected)
        for column in ("second_column", "antibody"):
            if row[column] is not None and row["second"] is None:
                problems.add(file, f"{where}{column}", row[column], "a file in the column second, whose column it is")


def _check_persons(rows: pd.DataFrame, samples: pd.DataFrame, file: str, *, problems: Problems) -> None:
    patients = list(dict.fromkeys(samples["patient"]))
    seen: dict[tuple[str, str], int] = {}
    recipient: dict[str, int] = {}
    for row in rows.to_dict("records"):
        patient, person, where = row["patient"], row["person"], f"row {row[LINE]}, column "
        if patient is None or person is None:
            continue
        if patient not in patients:
            problems.add(file, f"{where}patient", patient, "a patient of the sample sheet", patients)
        if (patient, person) in seen:
            expected = f"each person of a patient once, but row {seen[patient, person]} has this one too"
            problems.add(file, f"{where}person", person, expected)
        seen.setdefault((patient, person), row[LINE])
        if row["role"] == "recipient":
            if patient in recipient:
                expected = f"one recipient a patient, but row {recipient[patient]} is one of {patient} too"
                problems.add(file, f"{where}role", "recipient", expected)
            recipient.setdefault(patient, row[LINE])


def _places(rows: pd.DataFrame, root: Path, file: str, *, problems: Problems) -> dict[tuple[str, str], str]:
    places = {}
    for row in rows.to_dict("records"):
        for column in FILES:
            given = row[column]
            if given is None or row["sample"] is None:
                continue
            path = root / given
            if not path.is_file():
                folder = path.parent
                there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
                near = [str(Path(given).parent / name) for name in there]
                problems.add(file, f"row {row[LINE]}, column {column}", given, f"a file below {root}", near)
                continue
            # a path that is right as it stands keeps results free of the place of the checkout
            places[row["sample"], column] = given if root.resolve() == Path.cwd() else str(path)
    return places
