"""A cohort of very many files, planned and not run: ``./run python benchmarks/many.py [SAMPLES] [--docs]``.

Sheets of SAMPLES samples (two thirds mass cytometry, one third RNA; ten time points a patient) whose files are links to
two small ones. Measured: Snakemake's dry run (wall, CPU, memory), jobs by rule, how many of them a cluster is asked for
with the groups of ``profiles/slurm``, and how long one job takes whose work is nothing.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import yaml

from rules import write

HERE = Path(__file__).parent
ROOT = HERE.parent
PAGE = ROOT / "docs/scaling.md"
sys.path.insert(0, str(ROOT / "workflow"))
DAYS = (-7, 3, 7, 14, 21, 28, 60, 100, 180, 365)
MARKS = "<!-- many -->\n", "<!-- end of many -->\n"


def make(folder: Path, samples: int) -> Path:
    """Sheets and linked files of `samples` samples; returns the config."""
    from cimlnk.simulate.cytof import simulate_cytof
    from cimlnk.simulate.rna import simulate_rna

    raw = folder / "raw"
    fcs, h5 = folder / "one.fcs", folder / "one.h5"
    raw.mkdir(parents=True, exist_ok=True)
    if not h5.exists():
        simulate_cytof("tiny", 1, "P1_pre_cytof", fcs=fcs, truth=folder / "cytof.parquet")
        simulate_rna("tiny", 1, "P1_pre_rna", truth=folder / "rna.parquet", h5=h5)
    rows, counts, patients = [], [], []
    n = 0
    while len(rows) < samples:
        patient = f"P{n:04d}"
        patients.append({"patient": patient, "arm": "CIML" if n % 2 else "IL2_only"})
        for i, day in enumerate(DAYS):
            timepoint = "pre" if day < 0 else f"D{day}"
            for modality, source in (("cytof", fcs), ("rna", h5)):
                if (modality == "rna" and i % 2) or len(rows) == samples:
                    continue
                path = raw / f"{patient}_{timepoint}{source.suffix}"
                if not path.exists():
                    os.link(source, path)
                rows.append(
                    {"sample": f"{patient}_{timepoint}_{modality}", "patient": patient, "day": day,
                     "timepoint": timepoint, "arm": patients[-1]["arm"], "tissue_or_product": "blood",
                     "modality": modality, "path": path.name, "batch": f"day{1 + n // 10}"}
                )  # fmt: skip
            counts.append({"patient": patient, "day": day, "nk_per_ul": 100})
        n += 1
    for name, table in (("samples", rows), ("counts", counts), ("patients", patients)):
        pd.DataFrame(table).to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    config = {
        "cohort": {
            "id": f"many{samples}",
            "data_root": str(raw),
            "panel": str(ROOT / "resources/panels/synthetic.tsv"),
            **{name: str(folder / f"{name}.tsv") for name in ("samples", "counts", "patients")},
        }
    }
    (folder / "many.yaml").write_text(yaml.safe_dump(config))
    return folder / "many.yaml"


def dry_run(config: Path) -> tuple[dict[str, int], float, float, float]:
    """Jobs by rule of a dry run, its wall and CPU seconds and its largest memory in GB."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--configfile", str(config)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    text = told.stdout + told.stderr
    if told.returncode:
        sys.exit(text[-4000:])
    jobs = {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", text, re.M)}
    jobs.pop("total", None)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return jobs, wall, cpu, after.ru_maxrss / 1e6


def submitted(jobs: dict[str, int], profile: Path) -> int:
    """Jobs that a cluster is asked for with the groups of a profile; jobs of one rule do not need each other."""
    told = yaml.safe_load(profile.read_text())
    group = dict(entry.split("=") for entry in told.get("groups", []))
    size = dict(entry.split("=") for entry in told.get("group-components", []))
    count = {rule: n for rule, n in jobs.items() if rule != "all"}
    return sum(math.ceil(n / int(size.get(group.get(rule, ""), 1))) for rule, n in count.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", type=int, nargs="*", default=[500, 1500])
    parser.add_argument("--docs", action="store_true")
    given = parser.parse_args()
    lines = [
        "| samples | jobs | dry run, wall s | CPU s | GB | jobs submitted to Slurm | without groups |",
        "| --- |" + " --- |" * 6,
    ]
    for samples in given.samples:
        jobs, wall, cpu, memory = dry_run(make(HERE / f"out/many{samples}", samples))
        asked = submitted(jobs, ROOT / "profiles/slurm/config.yaml")
        lines.append(
            f"| {samples:,} | {sum(jobs.values()):,} | {wall:.1f} | {cpu:.1f} | {memory:.2f} | {asked} | "
            f"{sum(jobs.values()) - 1:,} |"
        )
        print(*(f"{rule} {n}" for rule, n in jobs.items() if n > 2), sep=", ")
    text = "\n".join(lines) + "\n"
    print(text)
    if given.docs:
        write(PAGE, text, MARKS)


if __name__ == "__main__":
    main()
