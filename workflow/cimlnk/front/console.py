"""The console of a run: a line per finished stage, on a terminal a live line below; errors and warnings between."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from cimlnk.common.job import INTERRUPTED

from .headlines import headline
from .locked import locked_words

# First word of a rule's name -> what a person calls the stage.
STAGES = {
    "cohort": "sheets", "simulate": "synthetic files", "cytof": "mass cytometry",
    "flow": "flow cytometry", "rna": "RNA", "graph": "clustering",
    "populations": "populations", "dynamics": "dynamics", "claims": "claims", "quality": "warnings",
    "report": "report", "export": "exports", "donors": "donors", "transfer": "added samples",
}  # fmt: skip
OWN = "cimlnk:"  # messages that begin so are ours and are always shown
QUARTERS = (0.25, 0.5, 0.75)


def stage_of(rule: str) -> str:
    """The stage of a rule, by the first word of its name; unknown words stand for themselves."""
    word = rule.split("_")[0]
    return STAGES.get(word, word)


def duration(seconds: float) -> str:
    """Seconds in words for people: ``8 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _was_interrupted(log: Path) -> bool:
    """Whether the log of a failed step ends with an interruption."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return bool(lines) and lines[-1].endswith(INTERRUPTED)


class Console:
    """Turns Snakemake's log records into a few lines.

    Parameters
    ----------
    stream
        Where to write. On a terminal the last line is live (redrawn in place); else plain lines only, at most one per
        stage, three on the way, and those of errors and warnings.
    dryrun
        Whether only a plan is made: the number of jobs per stage is then all there is to say.
    clock
        Seconds; for tests.
    """

    def __init__(self, stream: TextIO, dryrun: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.dryrun, self.clock = stream, dryrun, clock
        self.live = bool(getattr(stream, "isatty", lambda: False)())
        self.begin = clock()
        self.totals: Counter[str] = Counter()  # per rule
        self.done: Counter[str] = Counter()
        self.took: dict[str, list[float]] = {}
        self.running: dict[int, tuple[str, float]] = {}
        self.begun: dict[str, float] = {}  # stage -> first start
        self.root: Path | None = None
        self.quarters = list(QUARTERS)
        self.shown = False
        self.interrupted = False

    def take(self, record: logging.LogRecord) -> None:
        """React to one record; events are distinguished by ``record.event``, messages have none."""
        event = getattr(record, "event", None)
        handler = {
            "run_info": self._plan, "job_info": self._start, "job_finished": self._finish, "job_error": self._fail,
            "error": self._error, None: self._message,
        }.get(None if event is None else str(event))  # fmt: skip
        if handler is not None:
            handler(record.__dict__)
        self._draw()

    def close(self) -> None:
        """Take the live line away."""
        self._clear()

    # --- events ---

    def _plan(self, record: Mapping[str, Any]) -> None:
        if self.totals:
            return  # repeated at the end of a dry run
        self.totals = Counter({k: int(v) for k, v in record["stats"].items() if k not in ("total", "all")})
        stages: Counter[str] = Counter()
        for rule, n in self.totals.items():
            stages[stage_of(rule)] += n
        words = " · ".join(f"{s} {n}" for s, n in stages.items())
        self._say(f"{OWN} {sum(self.totals.values())} steps to do: {words}")

    def _start(self, record: Mapping[str, Any]) -> None:
        rule = record["rule_name"]
        if rule == "all" or self.dryrun:
            return
        self.running[record["jobid"]] = (rule, self.clock())
        self.begun.setdefault(stage_of(rule), self.clock())
        for place in map(str, record["output"]):
            parts = Path(place).parts
            if len(parts) > 2 and parts[0] == "results":
                self.root = Path(*parts[:2])

    def _finish(self, record: Mapping[str, Any]) -> None:
        rule, begin = self.running.pop(record["job_id"], (None, 0.0))
        if rule is None:
            return
        self.done[rule] += 1
        self.took.setdefault(rule, []).append(self.clock() - begin)
        stage = stage_of(rule)
        done, total = self._count(stage)
        if done == total:
            words = f" · {text}" if (text := headline(rule.split("_")[0], self.root)) else ""
            self._say(f"  {stage:16} {done:>4}/{total:<4} {duration(self.clock() - self.begun[stage]):>8}{words}")
        finished, of = sum(self.done.values()), sum(self.totals.values())
        if not self.live and self.quarters and of > 40 and finished >= self.quarters[0] * of:
            while self.quarters and finished >= self.quarters[0] * of:
                self.quarters.pop(0)
            if finished < of:
                self._say(f"  … {finished} of {of} steps done, about {duration(self.left())} left")

    def _fail(self, record: Mapping[str, Any]) -> None:
        if record.get("jobid") in self.running:
            self.running.pop(record["jobid"])
        log = next(iter(record.get("log") or []), None)
        if log and _was_interrupted(Path(log)):
            if not self.interrupted:
                self._say(f"{OWN} interrupted: the steps at work are left unfinished, and the next run does them again")
            self.interrupted = True
            return
        output = next(iter(record.get("output") or []), "")
        where = f"; its log: {log}" if log else ""
        self._say(f"{OWN} error: step {record['rule_name']} failed, so there is no {output}{where}")

    def _error(self, record: Mapping[str, Any]) -> None:
        text = str(record["msg"])
        if "Directory cannot be locked" in text:
            text = f"{OWN} error: {locked_words(Path.cwd(), sys.argv)}"
        if "At least one job did not complete successfully" not in text and "CalledProcessError" not in text:
            self._say(text)

    def _message(self, record: Mapping[str, Any]) -> None:
        text = str(record["msg"] or "")
        if text.startswith("Nothing to be done"):
            self._say(f"{OWN} nothing to do: every result is up to date")
        elif text.startswith(OWN) or record["levelno"] >= logging.ERROR and "Look below" not in text:
            if not text.startswith(("Exiting because a job execution failed", "Shutting down")):
                self._say(text)

    # --- what is left ---

    def left(self) -> float:
        """Seconds still to go: jobs at their rule's mean so far (or that of all rules), as many at a time as so far."""
        every = [t for times in self.took.values() for t in times]
        if not every:
            return float("nan")
        mean = sum(every) / len(every)
        work = 0.0
        for rule, total in self.totals.items():
            times = self.took.get(rule, [])
            work += (total - self.done[rule]) * (sum(times) / len(times) if times else mean)
        now = self.clock()
        work = max(0.0, work - sum(now - begin for _, begin in self.running.values()))
        at_a_time = max(1.0, sum(every) / max(now - self.begin, 1e-9))
        return work / at_a_time

    def _count(self, stage: str) -> tuple[int, int]:
        rules = [r for r in self.totals if stage_of(r) == stage]
        return sum(self.done[r] for r in rules), sum(self.totals[r] for r in rules)

    # --- writing ---

    def _say(self, text: str) -> None:
        self._clear()
        self.stream.write(text.rstrip("\n") + "\n")
        self.stream.flush()

    def _clear(self) -> None:
        if self.shown:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
            self.shown = False

    def _draw(self) -> None:
        if not self.live or not self.running:
            return
        finished, of = sum(self.done.values()), sum(self.totals.values())
        active = dict.fromkeys(stage_of(rule) for rule, _ in self.running.values())
        stages = " · ".join("{} {}/{}".format(s, *self._count(s)) for s in active)
        left = self.left()
        rest = "" if left != left else f", about {duration(left)} left"
        line = f"  {finished} of {of} steps{rest} · {stages}"
        width = shutil.get_terminal_size().columns - 1
        self.stream.write(f"\r\x1b[K{line[:width]}")
        self.stream.flush()
        self.shown = True
