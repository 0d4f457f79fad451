"""Cost of the lineages of one big batch: clustering a part of its events, placing all of them.

    python benchmarks/lineage_speed.py [--events 1000000] [--channels 40] [--clustered 30000]

Events are those of blood (13 kinds, 21 lineage markers, the rest dim) on the analysis scale. Each step is told in CPU
and wall seconds; the peak is the resident memory of a process that holds the array and does nothing else, imports
included. Wall seconds mean something on an idle machine only.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "tests" / "support")]
BLOCK = 50_000


def events(n: int, channels: int) -> tuple[np.ndarray, list[str]]:
    """Events x channels (float32, arcsinh with a cofactor of 5) and the channels' markers."""
    from blood import BLOOD, MARKERS, blood

    names = [*MARKERS, *(f"M{i}" for i in range(channels - len(MARKERS)))][:channels]
    out = np.empty((n, channels), np.float32)
    for i, a in enumerate(range(0, n, BLOCK)):
        part = out[a : a + BLOCK]
        known = min(channels, len(MARKERS))
        part[:, :known] = blood(len(part), BLOOD, seed=i, markers=names[:known])[0]
        part[:, known:] = np.random.default_rng(i).gamma(0.5, 0.5, (len(part), channels - known))
    return out, names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--channels", type=int, default=40)
    parser.add_argument("--clustered", type=int, default=30_000)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    from cimlnk.cytof.lineage import LINEAGES, call_lineages, place_events
    from cimlnk.graph.warm import warm

    values, names = events(arguments.events, arguments.channels)
    warm()
    few = np.ascontiguousarray(values[:500])  # the first call compiles what is left
    first = call_lineages(few, names, [5.0] * len(names), resolutions=(1.0,), repeats=1)
    columns = [names.index(m) for m in first.markers]
    place_events(values[:600, columns], few[:, columns], first.by_clusters, rule=first.contradiction)
    print(f"{arguments.events:,} events x {arguments.channels} channels, {arguments.clustered:,} clustered")
    print("step\tcpu_s\twall_s")
    marks = [("", time.process_time(), time.perf_counter())]
    rows = np.sort(np.random.default_rng(0).choice(len(values), min(arguments.clustered, len(values)), replace=False))
    called = call_lineages(values[rows], names, [5.0] * len(names), threads=arguments.threads)
    marks.append(("cluster and call", time.process_time(), time.perf_counter()))
    known = values[rows][:, columns]
    placed = place_events(
        values[:, columns], known, called.by_clusters, rule=called.contradiction, threads=arguments.threads
    )
    marks.append(("place all events", time.process_time(), time.perf_counter()))
    for (_, c0, w0), (step, c1, w1) in zip(marks, marks[1:], strict=False):
        print(f"{step}\t{c1 - c0:.2f}\t{w1 - w0:.2f}")
    print(f"all\t{marks[-1][1] - marks[0][1]:.2f}\t{marks[-1][2] - marks[0][2]:.2f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak {peak:,.0f} MiB, of which the events {values.nbytes / 2**20:,.0f} MiB")
    found = np.bincount(placed.lineage, minlength=len(LINEAGES))
    print(", ".join(f"{n:,} {name}" for name, n in zip(LINEAGES, found, strict=True) if n))


if __name__ == "__main__":
    main()
