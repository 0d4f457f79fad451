"""The antibody sheet: which files of antibody counts, empty droplets and hashtag calls belong to which sample."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.errors import Plain, Problems
from cimlnk.common.home import locate

from .places import data_root
from .read import LINE
from .rows import read_rows

FILES = ("counts", "empty", "hashtags")


def read_antibody_sheet(cfg: Mapping[str, Any], base: Path, problems: Problems) -> pd.DataFrame | None:
    """Rows of the sheet that `rna.antibodies` names, None without one; mistakes go to `problems`."""
    file = cfg["rna"]["antibodies"]
    return None if file is None else read_rows(locate(file, base), "antibodies", file, problems=problems)


def hashtagged(sheet: pd.DataFrame | None) -> frozenset[str]:
    """Samples whose cells are told by hashtag calls: several of them may have one file."""
    if sheet is None:
        return frozenset()
    return frozenset(sheet.loc[sheet["hashtags"].notna() & sheet["hashtag"].notna(), "sample"].dropna())


def check_antibodies(
    sheet: pd.DataFrame, samples: pd.DataFrame, cfg: Mapping[str, Any], *, base: Path, problems: Problems
) -> dict[str, dict[str, str]]:
    """Check the sheet against the samples and the disk; returns sample -> its cells, paths as rules read them.

    Told are: a sample that is unknown, no RNA sample or there twice; a row that says nothing; ``hashtags`` without
    ``hashtag`` and the other way round; a hashtag of one file given to two samples; files that are not there.
    """
    file = cfg["rna"]["antibodies"]
    known = [s for s in samples["sample"] if s is not None]
    modality = samples.set_index("sample")["modality"].to_dict()
    root = data_root(cfg, base, problems)
    seen: dict[str, int] = {}
    taken: dict[tuple[str, str], int] = {}
    out: dict[str, dict[str, str]] = {}
    for row in sheet.to_dict("records"):
        name, where = row["sample"], f"row {row[LINE]}, column"
        if name is None:
            continue
        if name not in known:
            problems.add(file, f"{where} sample", name, f"a sample of {cfg['cohort']['samples']}", known)
            continue
        if modality[name] != "rna":
            problems.add(file, f"{where} sample", name, f"a sample of modality rna, and this one is {modality[name]}")
        if seen.setdefault(name, row[LINE]) != row[LINE]:
            problems.add(file, f"{where} sample", name, f"every sample once, but it is in row {seen[name]} too")
        given = {k: str(row[k]) for k in (*FILES, "hashtag", "hashtag_column") if row[k] is not None}
        if not set(given) & set(FILES):
            problems.add(file, f"row {row[LINE]}", Plain("neither counts, empty nor hashtags"), "at least one of them")
        for one, other in (("hashtags", "hashtag"), ("hashtag", "hashtags")):
            if one in given and other not in given:
                problems.add(file, f"{where} {other}", Plain("nothing"), f"a value, as {one} is given")
        for column in FILES:
            if column in given and root is not None:
                path = root / given[column]
                if not path.exists():
                    folder = path.parent
                    near = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
                    problems.add(file, f"{where} {column}", given[column], f"a file or folder below {root}", near)
                as_written = not os.path.isabs(given[column]) and root.resolve() == Path.cwd()
                given[column] = given[column] if as_written else str(path)
        if "hashtags" in given and "hashtag" in given:
            key = (given["hashtags"], given["hashtag"])
            if taken.setdefault(key, row[LINE]) != row[LINE]:
                expected = f"a hashtag of its own for every sample, but row {taken[key]} has it too"
                problems.add(file, f"{where} hashtag", given["hashtag"], expected)
        out[name] = given
    return out
