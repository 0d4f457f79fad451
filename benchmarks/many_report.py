"""The report of very many files: ``./run python benchmarks/many_report.py results/ID [SAMPLES] [--docs]``.

Takes the tables of a finished run and repeats its patients under new names until there are SAMPLES samples, so that
every table, picture and map grows as it would with further patients (distances between samples with their pairs).
Then makes the workbook, the clinicians' pages and the site of them, each in a process of its own. Measured: wall and
CPU seconds, largest memory, bytes, and what of the site is largest. Tables that ``benchmarks/out`` has are taken again.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from rules import write

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = ROOT / "docs/scaling.md"
sys.path.insert(0, str(ROOT / "workflow"))
MARKS = "<!-- many report -->\n", "<!-- end of many report -->\n"
WHO = ("patient", "sample", "cell")  # columns whose values are renamed in every copy
PAIRS = "dynamics/repertoire_distances.parquet"  # one row a pair of samples
UNUSED = {"clusters.parquet", "lineages.parquet", "thresholds.parquet", "pool.json"}
STEPS = ("workbook", "clinicians", "site")


def renamed(table: pd.DataFrame, copy: int, columns: tuple[str, ...] = WHO) -> pd.DataFrame:
    """`table` with every patient, sample and cell of `columns` named as of this copy."""
    new = {c: f"R{copy}_" + table[c].astype(str) for c in columns if c in table and table[c].notna().all()}
    for c in columns:
        if c in table and c not in new:
            new[c] = table[c].where(table[c].isna(), f"R{copy}_" + table[c].astype(str))
    return table.assign(**new)


def pairs(table: pd.DataFrame, times: int, seed: int = 0) -> pd.DataFrame:
    """Distances of all pairs of samples of all copies: those between copies are drawn from those between patients."""
    rng = np.random.default_rng(seed)
    parts = []
    for _, rows in table.groupby(["modality", "what", "metric"], sort=False, dropna=False):
        apart = rows[~rows["same_patient"]]
        for a in range(times):
            parts.append(renamed(rows, a, ("sample", "other")))
            for b in range(a + 1, times):
                both = pd.concat([apart, apart.rename(columns={"sample": "other", "other": "sample"})])
                value = rng.permutation(both["distance"].to_numpy())
                parts.append(renamed(renamed(both.assign(distance=value), a, ("sample",)), b, ("other",)))
    return pd.concat(parts, ignore_index=True)[list(table.columns)]


def inflate(source: Path, folder: Path, times: int) -> None:
    """Write the tables of `source`, every patient `times` times, below `folder`; pictures of samples are linked."""
    for file in sorted(f for f in source.rglob("*") if f.is_file()):
        place = file.relative_to(source)
        top = place.parts[0]
        if top in ("logs", "benchmarks", "report") or place.name in UNUSED or place.suffix in (".npz", ".npy", ".h5ad"):
            continue
        if top == "export" and place.suffix not in (".parquet", ".html"):
            continue
        if len(place.parts) == 3 and place.parts[1] in ("gates", "compensated"):
            for copy in range(times):
                target = folder / place.with_name(f"R{copy}_{place.name}")
                target.parent.mkdir(parents=True, exist_ok=True)
                if file.suffix == ".parquet":
                    _write(renamed(pd.read_parquet(file), copy), file, target)
                elif not target.exists():
                    shutil.copy(file, target)
            continue
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix != ".parquet":
            shutil.copy(file, target)
            continue
        table = pd.read_parquet(file)
        if str(place) == PAIRS:
            table = pairs(table, times)
        elif set(WHO) & set(table):
            table = pd.concat([renamed(table, copy) for copy in range(times)], ignore_index=True)
        _write(table, file, target)


def _write(table: pd.DataFrame, like: Path, target: Path) -> None:
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    kept = {k: v for k, v in (pq.read_schema(like).metadata or {}).items() if k.startswith(b"cimlnk")}
    pq.write_table(arrow.replace_schema_metadata({**(arrow.schema.metadata or {}), **kept}), target)


def make(step: str, folder: Path, config: Path) -> None:
    """One of STEPS for the tables in `folder`."""
    from cimlnk.cohort.config import resolve
    from cimlnk.export.workbook import write_workbook
    from cimlnk.report.clinicians.write import write_clinicians
    from cimlnk.report.site import write_site

    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.relative_to(folder).parts[0] != "report")
    told = resolve(yaml.safe_load(config.read_text()), ROOT)
    if step == "workbook":
        write_workbook(root=folder, files=files, title="many", output=folder / "export/cohort.xlsx")
    elif step == "clinicians":
        write_clinicians(
            root=folder, files=files, config=told, summary=folder / "export/summary.pdf",
            patients=folder / "export/patients.pdf",
        )  # fmt: skip
    else:
        write_site(root=folder, files=files, config=told, output=folder / "report")


def sizes(folder: Path) -> dict[str, float]:
    """Megabytes of a site by what they are."""
    found: dict[str, float] = {}
    for file in folder.rglob("*"):
        if file.is_file():
            place = file.relative_to(folder)
            kind = (
                "explorer" if place.name == "explorer.html"
                else "pictures of gates" if place.parts[:2] == ("figures", "gates")
                else "PDF" if place.suffix == ".pdf"
                else f"{'patients: ' if 'patient' in place.name else ''}"
                + ("pages" if place.suffix == ".html" else place.parts[0])
            )  # fmt: skip
            found[kind] = found.get(kind, 0) + file.stat().st_size / 1e6
    return dict(sorted(found.items(), key=lambda kv: -kv[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("samples", type=int, nargs="*", default=[1500])
    parser.add_argument("--config", type=Path, default=ROOT / "config/config.yaml")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--inflate", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        return make(given.step, given.results, given.config)
    if given.inflate:
        return inflate(given.results, given.inflate, given.samples[0])
    sheet = pd.read_parquet(given.results / "cohort/samples.parquet")
    cells = sum(
        pq.ParquetFile(given.results / f"{m}/cells.parquet").metadata.num_rows for m in sheet["modality"].unique()
    )
    lines = [
        "| samples | patients | NK cells | step | wall s | CPU s | GB | MB written |", "| --- |" + " --- |" * 7,
    ]  # fmt: skip
    for samples in given.samples:
        times = -(-samples // len(sheet))
        folder = HERE / f"out/report{samples}"
        if not folder.exists():  # in a process of its own: what this one holds would count as its children's memory
            command = [sys.executable, __file__, str(given.results), str(times), "--inflate", str(folder)]
            subprocess.run(command, check=True)
        who = f"{times * len(sheet):,} | {times * sheet['patient'].nunique():,} | {times * cells:,}"
        for step in STEPS:
            start = time.perf_counter()
            command = [sys.executable, __file__, str(folder), "--config", str(given.config), "--step", step]
            process = subprocess.Popen(command, env={**os.environ, "MPLBACKEND": "Agg"})
            _, status, used = os.wait4(process.pid, 0)
            if status:
                sys.exit(f"{step} failed")
            wall = time.perf_counter() - start
            made = {
                "workbook": [folder / "export/cohort.xlsx"],
                "clinicians": [folder / f"export/{n}.pdf" for n in ("summary", "patients")],
                "site": [f for f in (folder / "report").rglob("*") if f.is_file()],
            }[step]
            size = sum(f.stat().st_size for f in made) / 1e6
            lines.append(
                f"| {who} | {step} | {wall:.0f} | {used.ru_utime + used.ru_stime:.1f} | {used.ru_maxrss / 1e6:.2f} | "
                f"{size:.1f} |"
            )
            print(lines[-1], flush=True)
        told = sizes(folder / "report")
        print(json.dumps({k: round(v, 2) for k, v in told.items()}))
        words = ", ".join(f"{k} {v:.1f}" for k, v in told.items())
        lines += ["", f"Of the site of {times * len(sheet):,} samples, MB: {words}.", ""]
    text = "\n".join(lines) + "\n"
    if given.docs:
        write(PAGE, text, MARKS)


if __name__ == "__main__":
    main()
