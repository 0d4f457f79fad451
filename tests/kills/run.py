"""./run python tests/kills/run.py [--kills N] [--seed S]: kill -9 at random places; the next plain run must end as an
undisturbed one.

A run of a small cohort is left in peace, another is killed N times (and goes on after each), and the finished one is
forced (--forceall, --forcerun) and killed N times more. Three ways of dying take turns: everything at once (power cut,
container stopped), Snakemake alone (its jobs work on as orphans, while the next run starts), one job alone. Wherever
a lock is left behind, the next run has to say how to take it away. In the end every file but logs and benchmarks has to
be there and to have the bytes of the undisturbed run. Exit code 1 if anything is not so.

The cohort is a lab's (two patients, four FCS files, an HDF5 and a folder of 10x; every stage and every table), or with
--tiny the synthetic one.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "tests/support")]

from on_slurm import adopt_orphans, slurm_options  # noqa: E402
from runs import Runs, say  # noqa: E402

from checkout import copy_checkout, digests  # noqa: E402
from lab import make_lab  # noqa: E402

WAYS = ("everything", "snakemake", "job")
SLURM_WAYS = ("snakemake", "job")  # "everything" would be the machine itself
FORCEALL = 0.4  # of the forced kills; the others force one rule, with what follows from it: early, middle and late ones
RULES = {  # and after how many of its jobs at most
    "rna_cells": 2, "populations_name": 2, "graph_cluster": 2, "dynamics_kinetics": 2,
    "claims_evaluate": 1, "report_site": 0,
}  # fmt: skip


def unforced(runs: Runs, ways: tuple[str, ...], args: argparse.Namespace, *, steps: int, rng: random.Random) -> None:
    """A run from nothing, killed again and again on its way."""
    for k in range(args.kills):
        way = ways[k % len(ways)]
        hit = runs.killed(way, rng.randint(0, 2 * steps // (args.kills + 2)), rng.random() * 2)
        say(f"unforced {k + 1}: {way} {hit}; {'lock taken away' if runs.unlock() else 'no lock'}")
    runs.plain()


def forced(
    runs: Runs,
    ways: tuple[str, ...],
    args: argparse.Namespace,
    *,
    steps: int,
    rng: random.Random,
    wanted: dict[str, str],
) -> None:
    """A finished run forced, killed and followed by a plain one: everything, then single rules with what follows."""
    done = {Path(f).stem.partition(".")[0] for f in os.listdir(runs.results / "benchmarks")}
    rules, whole = [rule for rule in args.rules if rule in done], round(FORCEALL * args.kills)
    for k in range(args.first, args.kills):
        way = ways[k % len(ways)]
        every = k < whole or not rules
        rule = None if every else rules[(k - whole) * len(rules) // (args.kills - whole)]
        force = ["--forceall"] if rule is None else ["--forcerun", rule]
        hit = runs.killed(way, rng.randint(0, steps // 2 if rule is None else RULES[rule]), rng.random() * 2, *force)
        say(f"forced {k + 1} ({' '.join(force)}): {way} {hit}; {'lock taken away' if runs.unlock() else 'no lock'}")
        runs.plain()
        runs.compare(wanted, f"after forced kill {k + 1}")


def try_all(folder: Path, args: argparse.Namespace) -> int:
    """Both halves, on this machine or on a Slurm that is started for it."""
    began = time.monotonic()
    config = "config/tiny.yaml" if args.tiny else str(folder / "lab/lab.yaml")
    if not args.tiny and not (folder / "lab").exists():
        make_lab(folder / "lab")
    peace = Runs(folder / "peace", config, options=["--cores", args.cores], targets=args.targets)
    options = slurm_options(args.cores, grouped=not args.targets) if args.slurm else ["--cores", args.cores]
    runs = Runs(folder / ("slurm" if args.slurm else "killed"), config, options=options, targets=args.targets)
    new = [r for r in (peace, runs) if not r.checkout.exists()]
    for run in new:  # both before the first run: of the same code, whatever is edited meanwhile
        copy_checkout(run.checkout)
    if peace in new:
        peace.plain()
    wanted = digests(peace.results)
    steps = sum(1 for p in (peace.results / "benchmarks").rglob("*") if p.is_file())
    say(f"undisturbed: {steps} steps, {len(wanted)} files")
    ways, rng, cluster = WAYS, random.Random(args.seed), None
    if args.slurm:
        from slurm import Slurm

        adopt_orphans()
        # without accounting only squeue knows that a job has ended, as on any Slurm without a database
        ways, cluster = SLURM_WAYS, Slurm(Path(tempfile.mkdtemp()))
        os.environ["PATH"] = f"{cluster.commands}{os.pathsep}{os.environ['PATH']}"
    try:
        if args.only != "forced":
            unforced(runs, ways, args, steps=steps, rng=rng)
            runs.compare(wanted, f"after {args.kills} unforced kills")
        if args.only != "unforced":
            forced(runs, ways, args, steps=steps, rng=rng, wanted=wanted)
    finally:
        if cluster is not None:
            cluster.stop()
            say(f"{runs.submitted} jobs submitted")
    faults = [*peace.faults, *runs.faults]
    say(f"{len(faults)} faults in {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10, help="of each kind, unforced and forced (default: 10)")
    parser.add_argument("--first", type=int, default=0, help="forced kills begin with this one")
    parser.add_argument("--seed", type=int, default=1, help="which places (default: 1)")
    parser.add_argument("--cores", default="1", help="of every run (default: 1)")
    parser.add_argument("--tiny", action="store_true", help="the synthetic tiny cohort instead of a lab's")
    parser.add_argument("--slurm", action="store_true", help="on a Slurm of this machine (root)")
    parser.add_argument("--targets", nargs="+", default=[], help="results to ask for, below the cohort's")
    parser.add_argument("--rules", nargs="+", choices=[*RULES], default=[*RULES], help="that are forced (default: all)")
    parser.add_argument("--folder", type=Path, help="work in this folder, keep it, and go on from what is in it")
    parser.add_argument("--only", choices=["unforced", "forced"], help="one half (forced needs the other in --folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        return try_all(folder, args)


if __name__ == "__main__":
    sys.exit(main())
