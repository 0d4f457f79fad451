"""Speed and memory of one big mass-cytometry file: read, transform, judge and gate, beside FlowKit's reading alone.

    python benchmarks/cytof_speed.py [--events 1000000] [--channels 50] [--output table.tsv]

Each line of the table is a fresh process: CPU and wall seconds without imports, and the peak of resident memory above
the interpreter with its imports, as a multiple of the events' array (float32).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

ROLES = {"Time": "time", "Event_length": "event_length", "Center": "gaussian", "Width": "gaussian"}
NAMES = ["Time", "Event_length", "Center", "Width", "Bead140", "Bead165", "DNA1", "DNA2", "Viability", "CD45", "CD14"]
NAMES += ["CD33", "CD19", "CD3", "CD56"]


def build(folder: Path, n: int, channels: int) -> None:
    """A file of `n` events: beads, debris, doublets, dead cells, T, B, NK cells and monocytes, and dim markers."""
    import numpy as np

    from cimlnk.cytof.fcs.write import write_fcs

    rng = np.random.default_rng(0)
    kind = rng.choice(8, n, p=[0.02, 0.04, 0.05, 0.06, 0.5, 0.1, 0.13, 0.1])
    names = NAMES + [f"M{i}" for i in range(channels - len(NAMES))]
    levels = {  # expected counts by kind: bead, debris, doublet, dead, T, B, NK, monocyte
        "Bead140": [900, 0, 0, 0, 0, 0, 0, 0], "Bead165": [900, 0, 0, 0, 0, 0, 0, 0],
        "DNA1": [1, 25, 1080, 470, 520, 520, 520, 520], "DNA2": [2, 40, 1900, 800, 900, 900, 900, 900],
        "Viability": [1, 60, 4, 520, 4, 4, 4, 4], "CD45": [0, 3, 700, 200, 400, 350, 400, 300],
        "CD14": [0, 1, 1, 1, 1, 1, 1, 370], "CD33": [0, 1, 1, 1, 1, 1, 1, 180], "CD19": [0, 1, 1, 1, 1, 250, 1, 1],
        "CD3": [0, 1, 300, 100, 370, 1, 6, 1], "CD56": [0, 1, 1, 1, 1, 1, 90, 2],
    }  # fmt: skip
    events = np.empty((n, len(names)), np.float32)
    for j, name in enumerate(names):
        if name in levels:
            expected = np.array(levels[name])[kind] * np.exp(rng.normal(0, 0.25, n))
            events[:, j] = rng.poisson(expected) - rng.random(n)
        elif name in ROLES:
            events[:, j] = rng.normal(40, 4, n)
        else:
            events[:, j] = rng.gamma(0.5, 20, n) - rng.random(n)
    events[:, 0] = np.sort(rng.random(n) * 1e6)
    write_fcs(folder / "big.fcs", events, names, big_endian=True)
    rows = []
    for name in names:
        low = name.lower()
        role = ROLES.get(name) or next((r for r in ("bead", "dna", "viability") if low.startswith(r)), "lineage")
        rows.append(f"{name}\t{name}\t{role}\t5\t{'yes' if name.startswith('M') else 'no'}")
    (folder / "panel.tsv").write_text("channel\tmarker\trole\tcofactor\tcluster\n" + "\n".join(rows) + "\n")


class Peak:
    """Highest resident memory (bytes) of this process while the block runs, sampled every 2 ms."""

    def __enter__(self) -> Peak:
        import psutil

        self.process = psutil.Process()
        self.start = self.high = self.process.memory_info().rss
        self.running = True
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while self.running:
            self.high = max(self.high, self.process.memory_info().rss)
            time.sleep(0.002)

    def __exit__(self, *_: object) -> None:
        self.running = False
        self.thread.join()


def measure(what: str, folder: Path) -> dict[str, float]:
    """Run one candidate in this process."""
    fcs = folder / "big.fcs"
    if what == "flowkit read":
        import flowkit as fk

        with Peak() as peak:
            wall, cpu = time.perf_counter(), time.process_time()
            fk.Sample(str(fcs))
            took = time.perf_counter() - wall, time.process_time() - cpu
        return {"wall_s": took[0], "cpu_s": took[1], "peak_bytes": peak.high - peak.start}
    from cimlnk.cytof.fcs.header import read_events
    from cimlnk.cytof.gating.read import read_sample
    from cimlnk.cytof.gating.sample import gate_sample

    qc = {"enabled": True, "bins": 200, "events_per_bin": 100, "tolerance": 6, "minimum_score": 0}
    settings = {"input_scale": "raw", "nk_identity": "CD56", "minimum_events": 300, "bootstraps": 50}
    settings["acquisition_qc"] = qc
    with Peak() as peak:
        wall, cpu = time.perf_counter(), time.process_time()
        if what == "cimlnk read":
            read_events(fcs)
            n = 0
        else:
            data = read_sample(fcs, folder / "panel.tsv", settings)
            gated, _ = gate_sample(
                data, "big", "b", gates=ROOT / "resources/gates/nk.yaml", pool=None, settings=settings, seed=1
            )
            n = int(gated.nodes["nk"].sum())
        took = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall_s": took[0], "cpu_s": took[1], "peak_bytes": peak.high - peak.start, "n_nk": n}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--channels", type=int, default=50)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--run", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(measure(arguments.run[0], Path(arguments.run[1]))))
        return
    lines = ["what\twall_s\tcpu_s\tpeak_of_array\tn_nk"]
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), arguments.events, arguments.channels)
        array = 4 * arguments.events * arguments.channels
        for what in ("cimlnk read", "flowkit read", "cimlnk read + transform + quality + gates"):
            command = [sys.executable, __file__, "--run", what, folder]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            times = f"{result['wall_s']:.2f}\t{result['cpu_s']:.2f}\t{result['peak_bytes'] / array:.2f}"
            lines.append(f"{what}\t{times}\t{result.get('n_nk', '')}")
    text = "\n".join(lines) + "\n"
    print(f"{arguments.events:,} events x {arguments.channels} channels\n{text}", end="")
    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
