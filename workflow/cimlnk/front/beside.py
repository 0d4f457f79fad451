"""What lies beside the samples of single-cell RNA: donor calls and antibody counts, and whose they are by barcodes."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, UserError
from cimlnk.donors.barcodes import same_barcodes
from cimlnk.donors.calls import HEADERS, read_calls
from cimlnk.rna.checked_h5 import check_file
from cimlnk.rna.folder import find_files
from cimlnk.rna.read_adt import read_antibody_file
from cimlnk.rna.read_h5 import read_obs

from .found import Found
from .marks import BETWEEN, plain_reason

LEAST_SHARE = 0.5  # of a sample's barcodes in a file that is said to be its own
MARGIN = 2.0  # by which the best sample must hold more of them than the next
SURE = 0.9
GENOTYPES = ("cluster_genotypes.vcf", "GT_donors.vireo.vcf")
ANTIBODY_COLUMNS, DONOR_COLUMNS = ("sample", "counts", "empty", "?"), ("sample", "tool", "calls", "genotypes", "?")


def barcodes_of(path: Path) -> list[str]:
    """Cell barcodes of a 10x folder, its ``barcodes.tsv``, a 10x h5 or an h5ad; the counts are not read.

    Raises
    ------
    UserError
        If it is none of them.
    """
    if path.is_dir() or path.name.removesuffix(".gz").endswith("barcodes.tsv"):
        raw = (find_files(path)[0].barcodes if path.is_dir() else path).read_bytes()
        try:
            text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(path, "barcodes", Plain(f"a damaged gzip file ({error})"), "a 10x folder") from None
        return [line.split("\t")[0] for line in text.decode("utf-8", "replace").splitlines() if line]
    if path.suffix.lower() == ".h5ad":
        return [str(v) for v in read_obs(path).index]
    import h5py

    try:
        with h5py.File(path, "r") as file:
            check_file(path, file)
            group = file["matrix"] if "matrix" in file else next(iter(file.values()))
            return [v.decode() for v in group["barcodes"][:]]
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise UserError(path, "barcodes", str(error)[:100], "a 10x h5") from None


def tool_of(path: Path) -> str | None:
    """The program whose donor calls a file holds, by its header: vireo, souporcell, demuxlet; None if it is none."""
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
            header = stream.readline().rstrip("\r\n").replace(",", "\t").split("\t")
    except (OSError, EOFError, UnicodeDecodeError):
        return None
    return next((name.split()[0] for name, needed in HEADERS.items() if set(needed) <= set(header)), None)


def whose(barcodes: Sequence[str], cells: Mapping[str, Sequence[str]], path: Path) -> tuple[str | None, str]:
    """The sample a file's barcodes are of, and why; None and why not.

    A sample that has half of its barcodes in the file and twice the share of any other; where several have (barcodes
    of one pool, or without the number of their library) the one named by the file or its folder.
    """
    shares = {}
    for sample, own in cells.items():
        try:
            rows = same_barcodes(list(own), list(barcodes), path.name, of=sample)
        except UserError:
            continue
        shares[sample] = float(np.mean(rows >= 0))
    order = sorted(shares, key=lambda s: -shares[s])
    likely = [s for s in order if shares[s] >= LEAST_SHARE and shares[s] * MARGIN > shares[order[0]]]
    if not likely:
        most = f"; at most {shares[order[0]]:.0%}, of {order[0]}" if order else ""
        return None, f"no sample has half of its cells in it{most}"
    why = f"{shares[likely[0]]:.0%} of the sample's cells are in it"
    if len(likely) > 1:
        words = f"{path.parent.name} {path.name}".lower()
        named = [s for s in likely if s.lower() in words]
        if len(named) != 1:
            return None, f"the cells of {', '.join(likely[:4])} are in it"
        return named[0], "by its name: other samples have its barcodes too"
    return likely[0], why


def donor_rows(found: Found, cells: Mapping[str, Sequence[str]]) -> tuple[pd.DataFrame, list[str]]:
    """Rows of a donor sheet for the calls of vireo, souporcell and demuxlet in the folder, and notes on the others."""
    rows, notes = [], []
    for path in found.calls:
        tool = tool_of(path)
        if tool is None:
            continue
        shown = str(path.relative_to(found.folder))
        try:
            calls = read_calls(path, tool, file=shown)
        except UserError as error:
            notes.append(f"left out: {error}")
            continue
        sample, why = whose(list(calls["barcode"]), cells, path)
        if sample is None:
            notes.append(f"{shown}: donor calls of {tool}, of no sample here ({why})" if cells else f"{shown}: donor "
                         f"calls of {tool}, and no single-cell RNA sample that they could be of")  # fmt: skip
            continue
        beside = [p for p in path.parent.iterdir() if p.name.removesuffix(".gz") in GENOTYPES]
        genotypes = str(beside[0].relative_to(found.folder)) if beside else ""
        rows.append({"sample": sample, "tool": tool, "calls": shown, "genotypes": genotypes,
                     "?": f"calls: {plain_reason(why)}"})  # fmt: skip
    return _once(pd.DataFrame(rows, columns=list(DONOR_COLUMNS)), "calls", notes), notes


def antibody_rows(found: Found, cells: Mapping[str, Sequence[str]]) -> tuple[pd.DataFrame, list[str]]:
    """Rows of an antibody sheet for tables of antibody counts and unfiltered matrices with antibodies, and notes."""
    rows, notes = [], []
    for path in found.tables if cells else []:
        shown = str(path.relative_to(found.folder))
        try:
            counts, barcodes = read_antibody_file(path)
        except UserError:
            continue  # another kind of table
        sample, why = whose(list(map(str, barcodes)), cells, path)
        if sample is None:
            notes.append(f"{shown}: counts of {counts.matrix.shape[1]} antibodies in {len(barcodes):,} cells, of no "
                         f"sample here ({why})")  # fmt: skip
            continue
        rows.append({"sample": sample, "counts": shown, "empty": "", "?": f"counts: {plain_reason(why)}"})
    table = _once(pd.DataFrame(rows, columns=list(ANTIBODY_COLUMNS)), "counts", notes)
    for path in found.raw:
        owners = [s for s, p in found.places.items() if p.parent in (path.parent, path) and s in cells]
        if len(owners) == 1 and _has_antibodies(path):
            shown, why = str(path.relative_to(found.folder)), "empty: the unfiltered matrix beside the sample"
            if owners[0] in set(table["sample"]):
                at = table.index[table["sample"] == owners[0]][0]
                table.loc[at, ["empty", "?"]] = [shown, f"{table.at[at, '?']}{BETWEEN}{why}"]
            else:
                table.loc[len(table)] = [owners[0], "", shown, why]
    return table, notes


def _has_antibodies(path: Path) -> bool:
    try:
        if path.is_dir():
            raw = find_files(path)[0].features.read_bytes()
            return b"Antibody Capture" in (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
        import h5py

        with h5py.File(path, "r") as file:
            check_file(path, file)
            return b"Antibody Capture" in set(file["matrix/features/feature_type"][:])
    except (UserError, OSError, RuntimeError, LookupError, TypeError, ValueError, EOFError, zlib.error):
        return False


def _once(table: pd.DataFrame, column: str, notes: list[str]) -> pd.DataFrame:
    """One row a sample; of several files of a sample the first, and a note on the others."""
    for row in table[table["sample"].duplicated()].to_dict("records"):
        notes.append(f"{row[column]}: {row['sample']} has such a file already, left out")
    return table.drop_duplicates("sample").reset_index(drop=True)
