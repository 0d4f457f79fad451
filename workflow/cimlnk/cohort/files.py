"""Cheap checks of the raw files that are there: FCS channels against the panel, given checksums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.provenance import sha256
from cimlnk.common.vocabulary import CYTOMETRY

from .sheets import Cohort


def check_files(cohort: Cohort, check_fcs: Callable[[Path, pd.DataFrame], object]) -> Problems:
    """Check every raw file the user gives, without reading events.

    Simulated and downloaded files are passed over: they may be in the making, and their rules check them.

    Parameters
    ----------
    cohort
        From :func:`cimlnk.cohort.sheets.load_cohort`.
    check_fcs
        Reads the header of a file and looks up the panel (PANEL) in it; raises :class:`UserError` for what does not
        fit. Handed in because this stage stands before the one that reads FCS files. What it returns may name in
        ``absent`` (channel and marker) what the file did not measure.

    Returns
    -------
    Problems
        Those of the headers, one entry per file whose checksum is not the one in the sheet, and one per marker of the
        panel that no file has.
    """
    problems = Problems()
    done: set[str] = set()
    absent: Counter[tuple[str, str]] = Counter()
    n_checked = 0
    for row in cohort.samples.to_dict("records"):
        if row["sample"] not in cohort.given or row["path"] in done:
            continue
        done.add(row["path"])
        path, source = Path(row["path"]), cohort.sources[row["sample"]]
        if row["sha256"] is not None and (found := sha256(path)) != row["sha256"].lower():
            expected = f"sha256 {row['sha256'].lower()} as in the sample sheet"
            problems.add(source, f"sample {row['sample']}", Plain(f"sha256 {found}"), expected)
            continue
        if row["modality"] in CYTOMETRY:
            try:
                matched = check_fcs(path, cohort.flow_panel if row["modality"] == "flow" else cohort.panel)
            except UserError as error:
                problems.extend(error)
                continue
            n_checked += 1
            absent.update(getattr(matched, "absent", ()))
    for (channel, marker), n in absent.items():
        if n == n_checked:  # a panel that changed has a marker in some files; in none it is a slip
            found = Plain(f"in none of the {n} files")
            problems.add("panel sheet", f"panel channel {channel} ({marker})", found, "a channel of the files")
    return problems


def same_files(paths: Mapping[str, str | Path]) -> list[str]:
    """One sentence for every sample whose raw file is a copy of another sample's.

    Only files of equal size are read, so that looking costs next to nothing where all is well. A path that stands in
    several rows is not reported: it is a pool whose samples differ by barcode, or was refused with the sheet.

    Parameters
    ----------
    paths
        Sample -> file, or folder of a 10x sample; what is not there or empty is passed over.
    """
    by_size: dict[int, dict[Path, str]] = {}
    for sample, given in paths.items():
        path = Path(given)
        size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) if path.is_dir() else 0
        size = path.stat().st_size if path.is_file() else size
        if size:
            by_size.setdefault(size, {}).setdefault(path.resolve(), sample)
    told = []
    for group in by_size.values():
        first: dict[str, str] = {}
        for path, sample in group.items() if len(group) > 1 else ():
            other = first.setdefault(sha256(path), sample)
            if other != sample:
                told.append(
                    f"the file of sample {sample} is that of sample {other}, byte for byte: its cells would count "
                    "twice; give every row its own file"
                )
    return told
