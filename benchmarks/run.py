"""The engine beside its peers, in one run: ``./run bench [--quick] [--docs]``.

Every method runs in a process of its own, twice (cold, then warm) where it takes less than a minute; the peers that the
workflow does not need get an environment of their own under ``benchmarks/out/peers`` (``benchmarks/peers.txt``).
Results go to ``benchmarks/out/results.json``; ``--docs`` also writes ``docs/benchmarks.md`` and its plot.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from data import make
from page import exponents, quality, scaling_table, seconds, times, write_docs

HERE = Path(__file__).parent
ROOT = HERE.parent
OUT = HERE / "out"
sys.path.insert(0, str(ROOT / "workflow"))
OWN = ("cimlnk", "cimlnk sketch", "scanpy igraph", "scanpy leidenalg")
SHOWN = ("numpy", "scipy", "numba", "scanpy", "pynndescent", "umap-learn", "igraph", "leidenalg")

PARTS = ("ann-search + NetworKit", "pipnn + NetworKit")  # the fastest parts found elsewhere, put together
THREADS = "threads"  # in place of a method: the engine on one matrix with several numbers of threads
REAL = [("bcrxl", 172_791), ("plex", 100_000), ("dcmononk", 77_737), ("imubac", 74_253)]
QUICK = [
    ("cytof", 100_000, ["cimlnk", "scanpy igraph", PARTS[0]]),
    ("rna", 100_000, ["cimlnk", "scanpy igraph", PARTS[0]]),
    *[(data, cells, ["cimlnk", "scanpy igraph", PARTS[0]]) for data, cells in REAL],
    ("cytof", 1_000_000, ["cimlnk"]),
    ("cytof", 300_000, [THREADS]),
]
FULL = [
    ("cytof", 100_000, ["cimlnk", "scanpy igraph", *PARTS, "scanpy leidenalg", "PhenoGraph", "PARC", "FlowSOM"]),
    ("cytof", 300_000, ["cimlnk", "scanpy igraph", *PARTS, "scanpy leidenalg", "FlowSOM"]),
    ("cytof", 1_000_000, ["cimlnk", "cimlnk sketch", "scanpy igraph", PARTS[0], THREADS]),
    ("cytof", 3_000_000, ["cimlnk", "cimlnk sketch"]),
    ("cytof", 10_000_000, ["cimlnk", "cimlnk sketch"]),
    ("rna", 100_000, ["cimlnk", "scanpy igraph", *PARTS]),
    ("rna", 300_000, ["cimlnk", "scanpy igraph", PARTS[0]]),
    ("rna", 1_000_000, ["cimlnk"]),
    *[(data, cells, ["cimlnk", "scanpy igraph", *PARTS, "FlowSOM"]) for data, cells in REAL],
]
SCALING = (1, 2, 4, 8)  # threads; more than the machine has cost time but must not change the labels


def peers_python() -> str:
    """The interpreter of the peers' environment, made on first use."""
    folder = OUT / "peers"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(HERE / "peers.txt")], check=True)
    return str(python)


def scaling(stem: Path, limit: int) -> list[dict]:
    """The engine on one matrix with several numbers of threads."""
    rows = []
    for threads in SCALING:
        record = measure("cimlnk", stem, threads, repeats=2, limit=limit)
        rows.append({"threads": threads, "matrix": stem.name} | record)
        print(f"{stem.name}, {threads} threads: {record.get('failed') or seconds(record, -1, 0)}", flush=True)
    return rows


def measure(method: str, stem: Path, threads: int, *, repeats: int, limit: int) -> dict:
    """One process of one method; a failure or a time-out is a result too, with its last line as reason."""
    labels = Path(f"{stem}_{method.replace(' ', '_')}.npy")
    python = sys.executable if method in OWN else peers_python()
    load = round(os.getloadavg()[0], 1)
    command = [python, str(HERE / "one.py"), method, f"{stem}_X.npy", str(threads), str(repeats), str(labels)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow"), "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"failed": f"stopped after {limit} s"}
    if done.returncode != 0:
        return {"failed": done.stderr.strip().splitlines()[-1][:200] if done.stderr.strip() else "no message"}
    record = json.loads(done.stdout.strip().splitlines()[-1]) | {"load": load}
    found = np.load(labels)
    record |= scores(np.load(f"{stem}_y.npy"), found)
    full = Path(f"{stem}_cimlnk.npy")
    if method == "cimlnk sketch" and full.exists():
        from cimlnk.graph.agreement import adjusted_rand

        record["ari_full"] = round(adjusted_rand(np.load(full).astype(np.int64), found.astype(np.int64)), 3)
    return record


def scores(y: np.ndarray, labels: np.ndarray) -> dict:
    """ARI, mean F1 after the best one-to-one assignment (Weber & Robinson 2016), the same for populations <= 0.5 %."""
    from cimlnk.graph.agreement import adjusted_rand, contingency

    if not len(y):
        return {"clusters": int(labels.max()) + 1, "ari": "–", "f1": "–", "f1_rare": "–"}
    labels = labels - labels.min()
    c = contingency(y.astype(np.int64), labels.astype(np.int64)).astype(float)
    total = c.sum(axis=1, keepdims=True) + c.sum(axis=0, keepdims=True)
    f1 = 2 * c / np.maximum(total, 1)
    rows, columns = linear_sum_assignment(-f1)
    best = np.zeros(len(c))
    best[rows] = f1[rows, columns]
    rare = c.sum(axis=1) <= 0.005 * c.sum()
    return {
        "clusters": int((c.sum(axis=0) > 0).sum()),
        "ari": round(adjusted_rand(y.astype(np.int64), labels.astype(np.int64)), 3),
        "f1": round(float(best.mean()), 3),
        "f1_rare": round(float(best[rare].mean()), 3),
    }


def machine(threads: int) -> str:
    """The machine and the versions in one line."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((x.split(":")[1].strip() for x in info.read_text().splitlines() if x.startswith("model name")), cpu)
    load = f", load average at the start {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    packages = ", ".join(f"{p} {version(p)}" for p in SHOWN)
    return f"{cpu}, {threads} threads{load}; Python {platform.python_version()}, {packages}."


def one_matrix(text: str, parser: argparse.ArgumentParser) -> tuple[str, int, list[str]]:
    """Data, cells and methods of one ``--only``."""
    parts = text.split(":")
    if len(parts) != 3 or not parts[1].isdigit():
        parser.error(f"--only: found {text!r}, expected DATA:CELLS:METHOD,... as in cytof:100000:cimlnk")
    return parts[0], int(parts[1]), parts[2].split(",")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="eight minutes: 100,000 cells and real data, two peers")
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md and its plot")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=int, default=1200, help="seconds after which a method is stopped")
    parser.add_argument(
        "--only",
        metavar="DATA:CELLS:METHOD,...",
        action="append",
        help="one matrix (again for more); added to the stored results. 'threads' is the scaling",
    )
    options = parser.parse_args()
    OUT.mkdir(exist_ok=True)
    about = machine(options.threads)
    print(about)
    results: list[dict] = []
    plan = QUICK if options.quick else FULL
    stored = OUT / "results.json"
    threads: list[dict] = []
    if options.only:
        plan = [one_matrix(text, parser) for text in options.only]
        if stored.exists():
            before = json.loads(stored.read_text())
            results, threads = before["results"], before.get("threads", [])
    for data, cells, methods in plan:
        stem = make(OUT / "data", data, cells)
        for method in methods:
            if method == THREADS:
                threads = scaling(stem, options.limit)
                continue
            slow = method == "scanpy leidenalg" or method not in (*OWN, PARTS[0])
            start = time.perf_counter()
            record = measure(method, stem, options.threads, repeats=1 if slow else 2, limit=options.limit)
            key = {"data": data, "cells": cells, "method": method}
            results = [r for r in results if not key.items() <= r.items()] + [key | record]
            stored.write_text(json.dumps({"about": about, "results": results, "threads": threads}, indent=1))
            note = record.get("failed") or f"{seconds(record, -1, 0):.1f} s, {seconds(record, -1, 1):.1f} CPU s"
            print(f"{data} {cells:,} {method}: {note} ({time.perf_counter() - start:.0f} s in all)", flush=True)
    stored.write_text(json.dumps({"about": about, "results": results, "threads": threads}, indent=1))
    print(f"{times(results)}\n{quality(results)}")
    print("\n".join(exponents(results)))
    print(scaling_table(threads))
    if options.docs:
        results.sort(key=lambda r: (r["data"], r["cells"]))
        write_docs(
            about,
            results,
            threads,
            command="./run bench " + " ".join(f"'{a}'" if " " in a else a for a in sys.argv[1:]),
        )


if __name__ == "__main__":
    main()
