"""./run python tests/kills/memory.py [--gigabytes N]: a lab's cohort with two files too large for a limit of memory.

To a lab's six files come an FCS file of more gigabytes and a 10x HDF5 file of more counts than fit. Every process of
the run has a limit of N GB (as ``ulimit -d`` sets it; 3 by default). Wanted: one line for each of the two, which are
left out with that line as their reason; the others finish. With --whole every table is made, and the report has to
tell it; else all steps up to the table of all samples. Exit code 1 if it is not so.
"""

from __future__ import annotations

import argparse
import html
import resource
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "tests/support")]

from checkout import copy_checkout, snakemake  # noqa: E402
from lab import CYTOF, RNA, Lab, make_lab  # noqa: E402

LARGE = {"cytof": "P2_D28_cytof", "rna": "P2_pre_rna"}


def large_fcs(source: Path, target: Path, size: int) -> None:
    """The channels of `source`, and events of `size` bytes in all, which are a hole that takes no room on the disk."""
    from cimlnk.cytof.fcs.header import read_events, read_header
    from cimlnk.cytof.fcs.write import write_fcs

    header = read_header(source)
    write_fcs(target, read_events(header)[:1], header.channels, markers=header.markers)
    data = target.read_bytes()
    begin, end, row = int(data[10:18]), int(data[18:26]), 4 * len(header.channels)
    text = data[begin : end + 1].decode()
    parts = text[1:-1].split(text[0])
    keywords = dict(zip(parts[::2], parts[1::2], strict=True)) | {"$TOT": str(size // row)}
    at = begin + sum(len(k) + len(v) + 2 for k, v in keywords.items()) + 1
    keywords |= {"$BEGINDATA": f"{at:015d}", "$ENDDATA": f"{at + size // row * row - 1:015d}"}
    text = text[0] + "".join(f"{k}{text[0]}{v}{text[0]}" for k, v in keywords.items())
    offsets = "".join(f"{n:>8d}" for n in (begin, at - 1, 0, 0, 0, 0))
    with target.open("wb") as stream:
        stream.write(data[:10] + offsets.encode() + text.encode())
        stream.truncate(at + size // row * row)


def large_h5(source: Path, target: Path, n: int) -> None:
    """The genes and cells of `source` with `n` counts that are not stored: unwritten chunks are zeros."""
    import h5py

    shutil.copy(source, target)
    with h5py.File(target, "r+") as stream:
        matrix = stream["matrix"]
        cells = int(matrix["shape"][1])
        for name in ("data", "indices", "indptr"):
            del matrix[name]
        for name in ("data", "indices"):
            matrix.create_dataset(name, (n,), np.int32, chunks=(1 << 20,))
        matrix["indptr"] = np.linspace(0, n, cells + 1).astype(np.int64)
        # what a data set may claim is bounded by the file's size
        stream["padding"] = np.random.default_rng(1).integers(0, 255, 8 << 20, dtype=np.uint8)


def add_large(lab: Lab, limit: int) -> None:
    large_fcs(lab.fcs(CYTOF[0]), lab.fcs(LARGE["cytof"]), limit // 10 * 11)
    large_h5(lab.h5, lab.base / f"raw/{LARGE['rna']}.h5", limit // 4)
    rows = (ROOT / "config/samples/tiny.tsv").read_text(encoding="utf-8").splitlines()
    rows = [r for r in rows if r.split("\t")[0] in LARGE.values()]
    with (lab.base / "samples.tsv").open("a", encoding="utf-8") as stream:
        for row in rows:
            row = row.replace("data/tiny/cytof/", "").replace("data/tiny/rna/", "")
            stream.write(row.replace(f"\t{LARGE['rna']}\t", f"\t{LARGE['rna']}.h5\t") + "\n")


def looked_at(results: Path, text: str, code: int, *, whole: bool) -> list[str]:
    """What is not as it is to be."""
    from cimlnk.common.tables import read_table

    if code != 0 or "Traceback" in text:
        return [f"exit code {code}:\n{text[-6000:]}"]
    faults = []
    for modality, sample in LARGE.items():
        lines = [s for s in text.splitlines() if s.startswith("cimlnk: left out") and sample in s]
        print("\n".join(dict.fromkeys(lines)))
        if not lines or not all("memory" in line for line in lines):
            faults.append(f"{sample}: not told by its memory: {lines}")
        summary = read_table(results / modality / "summary.parquet").set_index("sample")
        if summary.index[summary["left_out"]].tolist() != [sample]:
            faults.append(f"{modality}: left out are {summary.index[summary['left_out']].tolist()}")
        page = results / "report/index.html"
        if whole and str(summary.loc[sample, "reason"]) not in html.unescape(page.read_text(encoding="utf-8")):
            faults.append(f"{sample}: its reason is not on the overview")
        if not set(CYTOF if modality == "cytof" else RNA) <= set(summary.index[summary["n_nk"] > 0]):
            faults.append(f"{modality}: the others have no NK cells")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--cores", default="1")
    parser.add_argument("--whole", action="store_true")
    args = parser.parse_args()
    limit = int(args.gigabytes * (1 << 30))
    with tempfile.TemporaryDirectory() as folder:
        lab, clone = make_lab(Path(folder) / "lab"), copy_checkout(Path(folder) / "clone")
        add_large(lab, limit)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))  # of this process and all that it starts
        config = str(lab.base / "lab.yaml")
        targets = [] if args.whole else ["--", *(f"results/lab/{m}/summary.parquet" for m in LARGE)]
        run = snakemake(clone, "--cores", args.cores, "--keep-going", "--configfile", config, *targets, timeout=3600)
        faults = looked_at(clone / "results/lab", run.stdout + run.stderr, run.returncode, whole=args.whole)
    print(
        "\n".join(faults) or f"under {args.gigabytes:g} GB: two files left out, each in one line; the others finished"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
