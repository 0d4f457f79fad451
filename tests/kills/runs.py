"""Runs of a cohort in one checkout that are left in peace or killed, and what is found wrong with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from checkout import digests

SUBMITTED = "has been submitted with SLURM"


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


def say(text: str) -> None:
    print(text, flush=True)
