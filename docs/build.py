"""Build the docs site without a network, warnings as errors: python docs/build.py [OUTPUT], default build/docs/html."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import igraph
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build/docs"
STAGES = {
    "simulate": "#8c8c8c", "cohort": "#4e79a7", "cytof": "#59a14f", "rna": "#499894", "graph": "#b07aa1",
    "populations": "#e15759", "dynamics": "#f28e2b", "claims": "#d4a017", "export": "#9c755f",
}  # fmt: skip
REST = "#5f6b7a"


def rule_graph(config: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Rules (name by number) and which reads what another makes, of one cohort, as Snakemake says."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "--quiet", "all", "--configfile", config]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"docs: snakemake --rulegraph failed:\n{done.stderr}")
    names = dict(re.findall(r'^\s*(\d+)\[label = "([^"\\]+)', done.stdout, re.M))
    return names, re.findall(r"^\s*(\d+) -> (\d+)", done.stdout, re.M)


def draw(names: dict[str, str], edges: list[tuple[str, str]], path: Path) -> None:
    """The rules in layers from top to bottom, coloured by stage, as SVG; links that follow from others are left out."""
    order = [key for key, name in names.items() if name != "all"]
    links = [(order.index(a), order.index(b)) for a, b in edges if a in order and b in order]
    graph = igraph.Graph(len(order), links, directed=True).simplify()
    layers = [0] * len(order)
    for v in graph.topological_sorting():
        layers[v] = max((layers[p] + 1 for p in graph.predecessors(v)), default=0)
    behind = [set(graph.subcomponent(v, mode="out")) - {v} for v in range(len(order))]
    direct = [(a, b) for a, b in graph.get_edgelist() if not any(b in behind[c] for c in graph.successors(a) if c != b)]
    rows: dict[int, list[int]] = {}
    place: dict[int, float] = {}
    for v in sorted(range(len(order)), key=lambda v: layers[v]):
        rows.setdefault(layers[v], []).append(v)
    for _, members in sorted(rows.items()):
        above = {v: [place[a] for a, b in direct if b == v] for v in members}
        members.sort(key=lambda v: (sum(above[v]) / len(above[v]) if above[v] else 0.5, names[order[v]]))
        place |= {v: (i + 0.5) / len(members) for i, v in enumerate(members)}
    wide = max(len(members) for members in rows.values())
    figure = Figure(figsize=(0.95 * wide, 0.7 * len(rows)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    for a, b in direct:
        ends = ((place[b], layers[b] - 0.22), (place[a], layers[a] + 0.22))
        axes.annotate("", *ends, arrowprops={"arrowstyle": "-|>", "lw": 0.6, "color": "#9aa4ae"})
    for v, key in enumerate(order):
        stage, _, rest = names[key].partition("_")
        box = {"boxstyle": "round,pad=0.3", "fc": STAGES.get(stage, REST), "ec": "none"}
        words = f"{stage}\n{rest}" if rest else stage
        axes.text(place[v], layers[v], words, fontsize=7.5, color="white", ha="center", va="center", bbox=box)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})


def main() -> None:
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else BUILD / "html"
    draw(*rule_graph("config/tiny.yaml"), BUILD / "rules.svg")
    words = ["-q", "-W", "--keep-going", "-b", "html", "-c", str(ROOT / "docs"), "-d", str(BUILD / "doctrees")]
    done = subprocess.run([sys.executable, "-m", "sphinx", *words, str(ROOT), str(output)], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    print(f"docs: {output}/docs/index.html")


if __name__ == "__main__":
    main()
