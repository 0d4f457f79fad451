"""Look at what the donor and the antibody sheet name: whether the files are those of the samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.errors import UserError, UserErrors
from cimlnk.donors.barcodes import same_barcodes
from cimlnk.donors.calls import read_calls
from cimlnk.donors.sheet import load_donors
from cimlnk.donors.tables import DOUBLET, SINGLET
from cimlnk.rna.read_adt import LEAST_MATCHED, hashtag_cells, read_antibody_file

from .findings import NOTE, STOP, WARN, Findings

Names = Sequence[str] | NDArray[np.object_]
LARGEST = 300_000_000  # bytes: files beyond it are not opened here


def look_at_donors(
    cfg: Mapping[str, Any], samples: pd.DataFrame, barcodes: Mapping[str, Names], *, base: Path,
    findings: Findings,
) -> None:  # fmt: skip
    """Donor calls of each sample: cells, singlets, doublets, labels, share of the sample's cells in the file."""
    try:
        sheet = load_donors(cfg, base, samples)
    except UserError as error:
        for one in error.errors if isinstance(error, UserErrors) else [error]:
            findings.add(STOP, str(one))
        return
    table = []
    for row in sheet.rows:
        sample = row["sample"]
        try:
            calls = read_calls(
                sheet.places[sample, "calls"], row["tool"], file=row["calls"], column=row["column"],
                barcodes=row["barcodes"],
            )  # fmt: skip
            share = _share(barcodes.get(sample), list(calls["barcode"]), row["calls"], sample=sample)
        except UserError as error:
            findings.add(STOP, str(error).splitlines()[0])
            continue
        status = calls["status"].value_counts()
        singlets, doublets = int(status.get(SINGLET, 0)), int(status.get(DOUBLET, 0))
        labels = calls.loc[calls["status"] == SINGLET, "label"].value_counts()
        table.append({"sample": sample, "tool": row["tool"], "cells": len(calls), "of the sample %": share,
                      "singlets": singlets, "doublets": doublets, "unsure": len(calls) - singlets - doublets,
                      "labels": ", ".join(f"{n} {c:,}" for n, c in labels.head(4).items())})  # fmt: skip
    if table:
        findings.tables["Donor calls"] = pd.DataFrame(table)
        if cfg["donors"]["design"] == "not_stated":
            findings.add(NOTE, "donors.design is not stated: whether a genotype tells infused cells is not known")
        if cfg["donors"]["persons"] is None:
            findings.add(NOTE, "no persons sheet (donors.persons): donor and recipient are recognised only by a "
                               "product, or by blood before infusion")  # fmt: skip


def look_at_antibodies(
    given: Mapping[str, Mapping[str, str]], barcodes: Mapping[str, Names], findings: Findings
) -> None:
    """Antibody counts in files of their own: antibodies, droplets, and the share of the sample's cells in the file.

    Of a file of several people: how many of its cells the calls give to the sample.
    """
    table, calls = [], []
    for sample, files in given.items():
        if "hashtags" in files and "hashtag" in files and sample in barcodes:
            cells = np.asarray(barcodes[sample], object)
            try:
                kept = hashtag_cells(
                    Path(files["hashtags"]), files["hashtag"], cells, column=files.get("hashtag_column")
                )
            except UserError as error:
                findings.add(WARN, f"{sample} would be left out: {str(error).splitlines()[0]}")
            else:
                if not kept.any():
                    findings.add(WARN, f"{sample} would be left out: no cell of its file is {files['hashtag']}")
                calls.append({"sample": sample, "call": files["hashtag"], "cells": int(kept.sum()), "of": len(cells)})
        for what in ("counts", "empty"):
            if what not in files:
                continue
            path = Path(files[what])
            size = sum(f.stat().st_size for f in path.rglob("*")) if path.is_dir() else path.stat().st_size
            if size > LARGEST:
                findings.add(NOTE, f"{sample}: {size / 1e6:,.0f} MB of antibody counts are not opened by this check")
                continue
            try:
                counts, columns = read_antibody_file(path)
                own = barcodes.get(sample) if what == "counts" else None
                share = _share(own, [str(c) for c in columns], path.name, sample=sample)
            except UserError as error:
                findings.add(WARN, f"{sample} would be left out: {str(error).splitlines()[0]}")
                continue
            if share < 100 * LEAST_MATCHED:
                findings.add(WARN, f"{sample} would be left out: {path.name} holds {share:.0f} % of its cells")
            table.append({"sample": sample, "what": what, "antibodies": counts.matrix.shape[1],
                          "cells or droplets": len(columns), "of the sample %": share})  # fmt: skip
    if calls:
        findings.tables["Samples within one file"] = pd.DataFrame(calls)
    if table:
        findings.tables["Antibody counts in files of their own"] = pd.DataFrame(table)


def _share(own: Names | None, have: Sequence[str], file: str, *, sample: str) -> float:
    """Percent of the sample's barcodes that a file has, NaN if the sample was not looked at."""
    if own is None:
        return float("nan")
    return 100 * float(np.mean(same_barcodes(list(own), have, file, of=sample) >= 0))
