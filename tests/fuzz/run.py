"""./run fuzz [--cases N] [--from K]: damaged inputs over every reader; only results and one-line messages may come out.

Each block of cases runs in a process of its own under a memory limit; a case that takes above 30 s of a processor,
crashes or ends in another exception is named by its number, and the rest goes on. Exit code 1 if there was any.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "tests/support"), str(ROOT / "tests/fuzz")]

SECONDS = 30  # of a processor
MEMORY = 3 << 30


class Late(BaseException):
    """A case took too long; no reader may take it for a fault of the file."""


def block(first: int, last: int, base: Path) -> None:
    """Run cases in this process, writing one line for each."""
    import resource

    from damaged import cases, kinds, outcome, spoiled

    faulthandler.enable()
    found = kinds(base / "good")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))

    def late(*_: object) -> None:
        raise Late(f"above {SECONDS} s")

    for kind in found:  # libraries are loaded before the clock runs
        outcome(kind, kind.good)
    signal.signal(signal.SIGPROF, late)
    signal.signal(signal.SIGALRM, late)
    for kind, number in cases(found, range(first, last)):
        print("start", number, kind.name, flush=True)
        path = spoiled(kind, number, base / f"work{first}")
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.alarm(10 * SECONDS)  # waiting, or a machine with other work to do
        try:
            print(outcome(kind, path), flush=True)
        except MemoryError:
            print("told", flush=True)  # the job says it in one line (cimlnk.common.job)
        except BaseException:  # noqa: BLE001 - whatever comes out is what is looked for
            text = traceback.format_exc().strip().replace("\n", "\n    ")
            print("fault", text, flush=True)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.alarm(0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="run fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=20_000, help="how many damaged inputs (default: 20000)")
    parser.add_argument("--from", type=int, default=0, dest="first", help="number of the first one (default: 0)")
    parser.add_argument("--block", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--base", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.block:
        block(*args.block, args.base)
        return 0
    from small_files import make_small_files

    faults: list[str] = []
    tally: collections.Counter[str] = collections.Counter()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        make_small_files(base / "good")
        at, end = args.first, args.first + args.cases
        while at < end:
            last = min(at + 500, end)
            command = [sys.executable, __file__, "--block", str(at), str(last), "--base", folder]
            run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            number, kind = at - 1, ""
            for line in run.stdout.splitlines():
                word, _, rest = line.partition(" ")
                if word == "start":
                    number, kind = int(rest.split(" ", 1)[0]), rest.split(" ", 1)[1]
                elif word in ("read", "told", "fault"):
                    tally[word] += 1
                    if word == "fault":
                        faults.append(f"case {number}, {kind}:")
                if word == "fault" or line.startswith("    "):
                    faults.append(line)
            if run.returncode != 0:
                tally["crash"] += 1
                faults.append(f"case {number}, {kind}: exit code {run.returncode}\n{run.stderr[-2000:]}")
                at = number + 1
            else:
                at = last
            print(f"{at - args.first} of {args.cases}: {dict(tally)}", file=sys.stderr, flush=True)
    print("\n".join(faults))
    print(f"{args.cases} damaged inputs in {time.monotonic() - began:.0f} s: {dict(sorted(tally.items()))}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
