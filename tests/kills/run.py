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
import ctypes
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "tests/support")]

from checkout import copy_checkout, digests  # noqa: E402
from lab import make_lab  # noqa: E402

WAYS = ("everything", "snakemake", "job")
SLURM_WAYS = ("snakemake", "job")  # "everything" would be the machine itself
FORCEALL = 0.4  # of the forced kills; the others force one rule, with what follows from it: early, middle and late ones
RULES = {  # and after how many of its jobs at most
    "rna_cells": 2, "populations_name": 2, "graph_cluster": 2, "dynamics_kinetics": 2,
    "claims_evaluate": 1, "report_site": 0,
}  # fmt: skip


class Runs:
    """Runs of a cohort in one checkout.

    Parameters
    ----------
    checkout
        A copy of the project; its results are those of the runs.
    config
        Of the cohort, whose id is the file's name.
    options
        Of Snakemake, for every run: cores, or a profile of a cluster.
    targets
        Results that are asked for; all by default.
    """

    def __init__(self, checkout: Path, config: str, *, options: list[str], targets: list[str]) -> None:
        self.checkout, self.config, self.options = checkout, config, options
        self.results = checkout / "results" / Path(config).stem
        self.targets = [str(self.results.relative_to(checkout) / target) for target in targets]
        self.faults: list[str] = []
        self.submitted = 0

    def fault(self, text: str) -> None:
        """Say it at once: a run of hours may be stopped before its end."""
        self.faults.append(text)
        say(f"fault: {text}")

    def start(self, *arguments: str) -> tuple[subprocess.Popen[str], Path]:
        log = self.checkout / "killed.log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SNAKEMAKE", "CIMLNK_KEEP"))}
        environment["PYTHONPATH"] = str(self.checkout / "workflow")
        command = [sys.executable, "-m", "snakemake", "--configfile", self.config, *self.options, *arguments]
        command += ["--", *self.targets] if self.targets else []
        with log.open("w") as stream:
            run = subprocess.Popen(
                command, cwd=self.checkout, env=environment, stdout=stream, stderr=stream, text=True,
                start_new_session=True,
            )  # fmt: skip
        return run, log

    def plain(self, *arguments: str) -> str:
        """A run left in peace; a fault if it does not end well."""
        run, log = self.start(*arguments)
        code = run.wait()
        text = log.read_text()
        self.submitted += text.count(SUBMITTED)
        if code != 0 or "Traceback" in text:
            self.fault(f"{arguments or 'the plain run'} ended with {code}:\n{text[-3000:]}")
        return text

    def killed(self, way: str, jobs: int, wait: float, *arguments: str) -> str:
        """A run that is killed `wait` seconds into the step after its first `jobs`; words on what was hit."""
        began = time.time()
        run, log = self.start(*arguments)
        while run.poll() is None and self.made(began) < jobs:
            time.sleep(0.1)
        while run.poll() is None and not working(self.checkout):
            time.sleep(0.02)
        time.sleep(wait)
        hit = f"after {self.made(began)} steps"
        if run.poll() is None and way == "job":
            victims: list[int] = []
            while run.poll() is None and not victims:
                victims = working(self.checkout)
                time.sleep(0.02)
            for victim in victims[:1]:
                hit += f", job {words(victim)}"
                os.kill(victim, signal.SIGKILL)
            run.wait()
        elif run.poll() is None:
            hit += f", at work: {', '.join(words(p) for p in working(self.checkout)) or 'no job'}"
            if way == "everything":
                os.killpg(run.pid, signal.SIGKILL)
            else:
                run.kill()
            run.wait()
            if way == "everything":
                for left in working(self.checkout):  # jobs lead groups of their own
                    os.kill(left, signal.SIGKILL)
        else:
            hit += ", which was the end"
        self.submitted += (text := log.read_text()).count(SUBMITTED)
        if "Traceback" in text:
            self.fault(f"killed {way}: a traceback:\n{text[-3000:]}")
        return hit

    def made(self, since: float) -> int:
        """Steps that ended since then: each leaves a benchmark, also where a Slurm job makes several."""
        files = (self.results / "benchmarks").rglob("*")
        return sum(f.is_file() and f.stat().st_mtime > since for f in files)

    def unlock(self) -> bool:
        """Whether a lock was left; then a run must have said how it is taken away, and now it is."""
        if not any((self.checkout / ".snakemake/locks").glob("*")):
            return False
        run, log = self.start("--logger", "cimlnk")
        text = "" if (code := run.wait()) else "it ran"
        text += log.read_text()
        if code == 0 and "nothing to do" in text:
            pass  # the killed run's job has made the rest meanwhile: a run without work takes no lock
        elif code == 0 or "--unlock" not in text or "Traceback" in text or len(text.strip().splitlines()) > 3:
            self.fault(f"a lock was left, and the next run said:\n{text}")
        self.plain("--unlock")
        return True

    def compare(self, wanted: dict[str, str], when: str) -> None:
        """Every result there and the same, and nothing besides."""
        found = digests(self.results)
        other = sorted(k for k in wanted.keys() & found.keys() if wanted[k] != found[k])
        missing, more = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
        say(f"{when}: {len(found)} files, {len(other)} differ, {len(missing)} missing, {len(more)} more")
        if other or missing or more:
            self.fault(f"{when}: differ {other[:9]}, missing {missing[:9]}, more {more[:9]}")


def working(checkout: Path) -> list[int]:
    """Processes that work on a script of the workflow in `checkout`."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes().split(b"\0")
            here = Path(os.readlink(place / "cwd")) == checkout
        except OSError:
            continue
        if here and command[0].endswith((b"python", b"python3.11")) and b".snakemake/scripts/" in b" ".join(command):
            found.append(int(place.name))
    return sorted(found)


def words(process: int) -> str:
    """The rule a process works on."""
    try:
        command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "that just ended"
    name = next((c.decode() for c in command if b".snakemake/scripts/" in c), "?")
    return Path(name).stem.partition(".")[2] or Path(name).stem


def adopt_orphans() -> None:
    """Daemons and jobs whose parents end become children of this process, not of init: all of it is one run, for
    whoever looks at the machine, and can be ended as one."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the cluster is stopped


def say(text: str) -> None:
    print(text, flush=True)


# Steps that go into one Slurm job, in the order in which results need each other: a Slurm job costs twelve CPU seconds.
GROUPS = {
    "start": "cohort_tables cytof_pool cytof_lineages",
    "samples": "rna_cells cytof_cells",
    "features": "rna_features cytof_features cytof_gates_figure dynamics_release",
    "graph": "graph_neighbors graph_cluster graph_umap graph_figure",
    "names": "populations_name populations_state populations_pseudobulk adt_names dynamics_abundance",
    "dynamics": "dynamics_neighbourhoods dynamics_agreement dynamics_tests dynamics_kinetics dynamics_state "
    "dynamics_expression dynamics_repertoire dynamics_identity dynamics_diversity quality_warnings",
    "exports": "export_h5ad export_cytometry export_mudata export_pharmacology claims_evaluate",
    "pages": "report_explorer report_clinicians export_workbook report_site",
}


def slurm_options(cores: str, *, grouped: bool) -> list[str]:
    """A killed job is not made again in the same run (``retries``): the next run has to. As many steps at a time as
    `cores`."""
    options = [
        "--workflow-profile", "profiles/slurm", "--jobs", cores, "--retries", "0",
        "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1",
        "--seconds-between-status-checks", "1", "--latency-wait", "5",
        "--default-resources", "slurm_account=test", "slurm_partition=main", "runtime=30", "mem_mb=500",
        "--resources", f"at_once={cores}",
    ]  # fmt: skip
    if grouped:
        rules = [(rule, group) for group, several in GROUPS.items() for rule in several.split()]
        options += ["--groups", *(f"{rule}={group}" for rule, group in rules)]
        options += ["--group-components", *(f"{group}=40" for group in GROUPS)]
        options += ["--set-resources", *(f"{rule}:at_once=1" for rule, _ in rules)]
    return options


SUBMITTED = "has been submitted with SLURM"


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
