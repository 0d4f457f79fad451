"""What choosing and starting jobs costs: ``./run python benchmarks/scheduling.py [JOBS …] [--docs]``.

A workflow of JOBS steps of samples that do nothing, shaped as ``cytof_cells`` (memory by the input's size, a log,
a parameter that is a function), run on two cores with Snakemake's own way of choosing and with the one of
``profiles/default``. Measured: CPU seconds of Snakemake's own process, and of the solvers it starts, a job.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from rules import write

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/scaling.md"
MARKS = "<!-- scheduling -->\n", "<!-- end of scheduling -->\n"
WORKFLOW = """
SAMPLES = [f"s{i}" for i in range(int(config["count"]))]
rule all:
    input: "all.txt"
rule one:
    input: "in/{sample}.txt"
    output: "out/{sample}.txt"
    log: "logs/{sample}.log"
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * int(1000 + 5 * input.size_mb), runtime=30
    params:
        batch=lambda wildcards: wildcards.sample
    shell: ": > {output}"
rule join:
    input: expand("out/{sample}.txt", sample=SAMPLES)
    output: "all.txt"
    shell: ": > {output}"
"""
RUN = """
import json, resource, sys
from snakemake.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    code = end.code
own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
print("told", json.dumps([code, own.ru_utime + own.ru_stime, others.ru_utime + others.ru_stime]))
"""


def measure(jobs: int, options: list[str]) -> tuple[float, float]:
    """CPU seconds of Snakemake and of its children for so many jobs."""
    folder = Path(tempfile.mkdtemp())
    (folder / "Snakefile").write_text(WORKFLOW)
    (folder / "in").mkdir()
    for i in range(jobs):
        (folder / f"in/s{i}.txt").write_text(str(i))
    command = [sys.executable, "-c", RUN, "--cores", "2", "--quiet", "all", "--config", f"count={jobs}", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    code, own, others = json.loads(done.stdout.rpartition("told ")[2])
    if code:
        sys.exit(done.stderr[-2000:])
    shutil.rmtree(folder)
    return own, others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", type=int, nargs="*", default=[150, 300, 600])
    parser.add_argument("--docs", action="store_true")
    given = parser.parse_args()
    profile = yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
    ours = [w for k in ("scheduler", "scheduler-subsample") for w in (f"--{k}", str(profile[k]))]
    lines = [
        "| jobs | chosen by | Snakemake, CPU s | solvers and shells, CPU s | CPU s a job |",
        "| --- |" + " --- |" * 4,
    ]
    for name, options in (("Snakemake's default (ilp)", ["--scheduler", "ilp"]), ("profiles/default", ours)):
        start = sum(measure(1, options))
        for jobs in given.jobs:
            own, others = measure(jobs, options)
            each = (own + others - start) / jobs
            lines.append(f"| {jobs:,} | {name} | {own:.1f} | {others:.1f} | {each:.4f} |")
            print(lines[-1], flush=True)
    if given.docs:
        write(PAGE, "\n".join(lines) + "\n", MARKS)


if __name__ == "__main__":
    main()
