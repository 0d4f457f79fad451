"""What ``./run bench`` prints and writes: the tables of ``docs/benchmarks.md`` and its plot."""

from __future__ import annotations

from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
TITLES = {
    "cytof": "35 markers",
    "rna": "50 components",
    "bcrxl": "BCR-XL, 24 markers",
    "plex": "20 barcodes, 8 channels",
    "dcmononk": "flow cytometry, 10 channels",
    "imubac": "two batches, 25 markers",
}


def seconds(record: dict, which: int, kind: int) -> float:
    """Wall (0) or CPU (1) seconds of the first (0) or last (-1) repeat."""
    return sum(stage[kind] for stage in record["runs"][which].values())


def ours_of(results: list[dict], record: dict) -> dict | None:
    """The engine's own row on the matrix of a peer's row."""
    if "cimlnk" in record["method"] or "failed" in record:
        return None
    keys = "data", "cells"
    same = [r for r in results if r["method"] == "cimlnk" and all(r[k] == record[k] for k in keys)]
    return next((r for r in same if "failed" not in r), None)


def times(results: list[dict]) -> str:
    """The Markdown table of seconds and memory, each peer's also as a multiple of the engine's."""
    names = "matrix", "method", "warm s", "CPU s", "cold s", "search", "Leiden", "GB", "× s", "× CPU", "load"
    lines = [f"| {' | '.join(names)} |", "| --- " * len(names) + "|"]
    for r in results:
        start = f"| {r['data']} {r['cells']:,} | {r['method']} |"
        if "failed" in r:
            lines.append(f"{start} {r['failed']} |" + " |" * 8)
            continue
        last, ours = r["runs"][-1], ours_of(results, r)
        warm = f"{seconds(r, -1, 0):.1f} | {seconds(r, -1, 1):.1f}" if len(r["runs"]) > 1 else "– | –"
        parts = " | ".join(f"{last[s][0]:.1f}" if s in last else "–" for s in ("neighbours", "leiden"))
        which = 0 if len(r["runs"]) == 1 else -1  # a peer that ran once: its first run by our first run
        more = [f"{seconds(r, which, i) / seconds(ours, which, i):.1f}" for i in (0, 1)] if ours else ["–", "–"]
        lines.append(
            f"{start} {warm} | {seconds(r, 0, 0):.1f} | {parts} | {r['peak_gb']} | {more[0]} | {more[1]} "
            f"| {r.get('load', '–')} |"
        )
    return "\n".join(lines) + "\n"


def quality(results: list[dict]) -> str:
    """The Markdown table of what was found."""
    names = "matrix", "method", "recall@15", "modularity", "clusters", "ARI", "mean F1", "rare F1"
    lines = [f"| {' | '.join(names)} |", "| --- " * len(names) + "|"]
    for r in (r for r in results if "failed" not in r):
        lines.append(
            f"| {r['data']} {r['cells']:,} | {r['method']} | {r.get('recall', '–')} | {r.get('modularity', '–')} "
            f"| {r['clusters']} | {r['ari']} | {r['f1']} | {r['f1_rare']} |"
        )
    return "\n".join(lines) + "\n"


def scaling_table(rows: list[dict]) -> str:
    """The Markdown table of the numbers of threads, with the hash of the labels."""
    lines = ["| matrix | threads | neighbours s | graph s | Leiden s | CPU s | labels (sha256) |", "| --- " * 7 + "|"]
    for r in rows:
        if "failed" in r:
            lines.append(f"| {r['matrix']} | {r['threads']} | {r['failed']} | | | | |")
            continue
        parts = " | ".join(f"{r['runs'][-1][stage][0]:.2f}" for stage in ("neighbours", "graph", "leiden"))
        matrix, threads, digest = r["matrix"], r["threads"], r["sha256"]
        lines.append(f"| {matrix} | {threads} | {parts} | {seconds(r, -1, 1):.1f} | `{digest}` |")
    return "\n".join(lines) + "\n"


def exponents(results: list[dict]) -> list[str]:
    """Growth of the CPU time with the number of cells, per method and kind of data."""
    lines = []
    for data in ("cytof", "rna"):  # the real matrices come in one size
        for method in dict.fromkeys(r["method"] for r in results):
            rows = [r for r in results if r["data"] == data and r["method"] == method and "failed" not in r]
            if len(rows) > 1:
                x, t = np.log([r["cells"] for r in rows]), np.log([seconds(r, -1, 1) for r in rows])
                lines.append(
                    f"{method}, {data}, {rows[0]['cells']:,} to {rows[-1]['cells']:,}: {np.polyfit(x, t, 1)[0]:.2f}"
                )
    return lines


def plot(results: list[dict], path: Path) -> None:
    """CPU seconds over cells, one line per method."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharex=True, sharey=True)
    for axis, data in zip(axes, ("cytof", "rna"), strict=True):
        for method in dict.fromkeys(r["method"] for r in results):
            rows = [r for r in results if r["data"] == data and r["method"] == method and "failed" not in r]
            if rows:
                axis.loglog([r["cells"] for r in rows], [seconds(r, -1, 1) for r in rows], "o-", label=method, ms=4)
        axis.set_title(TITLES[data])
        axis.set_xlabel("cells")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("CPU seconds, matrix to labels")
    handles, names = axes[0].get_legend_handles_labels()
    axes[1].legend(handles, names, fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def write_docs(about: str, results: list[dict], threads: list[dict], *, command: str) -> None:
    """The page with the table, between its fixed introduction and the notes kept by hand."""
    page = ROOT / "docs" / "benchmarks.md"
    plot(results, ROOT / "docs" / "benchmarks.svg")
    growth = "\n".join(f"- {line}" for line in exponents(results))
    sketched = "\n".join(
        f"- {r['cells']:,} cells: ARI {r['ari_full']} with the labels of the full run"
        for r in results
        if "ari_full" in r
    )
    made = (
        f"Made by `{command}` on: {about}\n\n### Time and memory\n\n{times(results)}\n"
        f"![CPU seconds over cells](benchmarks.svg)\n\n### What was found\n\n{quality(results)}\n"
        f"### Growth of the CPU time\n\nExponents:\n\n{growth}\n"
        + (f"\n### Threads\n\n{scaling_table(threads)}" if threads else "")
        + (f"\n### Sketch of 200,000 cells with label transfer\n\n{sketched}\n" if sketched else "")
    )
    before, _, rest = page.read_text().partition("<!-- table -->\n")
    _, _, after = rest.partition("<!-- end of table -->\n")
    page.write_text(f"{before}<!-- table -->\n{made}<!-- end of table -->\n{after}")
