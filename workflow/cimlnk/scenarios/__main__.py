"""``./run truth --scenarios``: check all numbered situations; 0 if all are as asked, 1 if not, 2 for a wrong word."""

from __future__ import annotations

import argparse
import math
import sys
import time

from . import lineages, naming, tables, transcripts
from .checks import Check, Scenario

SCENARIOS: tuple[Scenario, ...] = tuple(
    sorted(
        (*lineages.SCENARIOS, *naming.SCENARIOS, *tables.SCENARIOS, *transcripts.SCENARIOS), key=lambda s: int(s.number)
    )
)
SEEDS = 3


def as_text(scenario: Scenario, checks: list[Check], seconds: float) -> str:
    """A situation for the terminal: its verdict, and a line for everything asked."""
    verdict = "ok    " if all(c.passed for c in checks) else "MISSED"
    lines = [f"{verdict} {scenario.number:>2} {scenario.title} ({seconds:.0f} s)"]
    for c in checks:
        value = "none" if math.isnan(c.value) else f"{c.value:.3f}"
        lines.append(f"       {'ok    ' if c.passed else 'missed'} {value:>6} (bound {c.bound:g})  {c.asked}")
    if scenario.known and not all(c.passed for c in checks):
        lines.append(f"       known: {scenario.known}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the situations and print what was asked and found."""
    parser = argparse.ArgumentParser(prog="run truth --scenarios", description="Check the numbered situations.")
    parser.add_argument("--small", action="store_true", help="one seed and few patients: a minute")
    parser.add_argument("--only", default="", help="numbers, separated by commas (default: all)")
    parser.add_argument("--seeds", type=int, default=0, help=f"cohorts per situation (default: {SEEDS}, 1 if small)")
    given = parser.parse_args(arguments)
    wanted = {w for w in given.only.split(",") if w}
    unknown = wanted - {s.number for s in SCENARIOS}
    if unknown:
        known = ", ".join(s.number for s in SCENARIOS)
        print(f"cimlnk: error: --only: found {', '.join(sorted(unknown))}, expected any of {known}", file=sys.stderr)
        return 2
    missed = []
    chosen = [s for s in SCENARIOS if not wanted or s.number in wanted]
    for scenario in chosen:
        start = time.process_time()
        checks = scenario.over(given.seeds or (1 if given.small else SEEDS), given.small)
        print(as_text(scenario, checks, time.process_time() - start), flush=True)
        if not all(c.passed for c in checks):
            missed.append(scenario.number)
    told = f"{len(chosen) - len(missed)} of {len(chosen)} situations are as asked"
    print(told + (f"; not: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
