"""Time and memory of a whole run by rule: ``./run python benchmarks/rules.py results/ID [--docs] [--wall S --cpu S]``.

Reads the benchmark file that Snakemake keeps of every job. ``--docs`` writes the table into ``docs/scaling.md``;
``--wall`` and ``--cpu`` are what ``time`` said of the run itself, which no job's file knows.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import pandas as pd

PAGE = Path(__file__).resolve().parents[1] / "docs/scaling.md"
MARKS = "<!-- rules -->\n", "<!-- end of rules -->\n"


def jobs(folder: Path) -> pd.DataFrame:
    """One row a job of `folder`/benchmarks: rule, seconds (wall, CPU), largest memory in MB."""
    rows = []
    for file in sorted((folder / "benchmarks").rglob("*.tsv")):
        told = pd.read_csv(file, sep="\t", na_values="-").iloc[0]
        rule = file.relative_to(folder / "benchmarks").parts[0].removesuffix(".tsv")
        rows.append((rule, float(told["s"]), float(told["cpu_time"]), float(told["max_rss"])))
    return pd.DataFrame(rows, columns=["rule", "wall", "cpu", "rss"])


def by_rule(table: pd.DataFrame) -> pd.DataFrame:
    """Jobs, sums of seconds, CPU seconds of the longest job and largest memory of every rule; most CPU time first."""
    found = table.groupby("rule").agg(
        jobs=("cpu", "size"), cpu=("cpu", "sum"), wall=("wall", "sum"), longest=("cpu", "max"), rss=("rss", "max")
    )
    return found.sort_values("cpu", ascending=False, kind="stable")


def markdown(table: pd.DataFrame, name: str, *, wall: float | None = None, cpu: float | None = None) -> str:
    """The table and what it sums up to."""
    rules = by_rule(table)
    lines = [
        f"Cohort `{name}`, {len(table):,} jobs that have a benchmark file, on {platform.machine()} with "
        f"Python {platform.python_version()}: {table['cpu'].sum():,.0f} CPU s in jobs, at most "
        f"{table['rss'].max() / 1000:.2f} GB in one of them (`{table.loc[table['rss'].idxmax(), 'rule']}`).",
    ]
    if wall and cpu:
        rest = cpu - table["cpu"].sum()
        lines[0] += (
            f" The whole run: {wall:,.0f} s wall, {cpu:,.0f} CPU s; the {rest:,.0f} CPU s that are in no job's file "
            f"({rest / len(table):.1f} a job) are Snakemake itself and what jobs used after it last looked at them."
        )
    lines += ["", "| rule | jobs | CPU s | of it longest job | wall s, summed | largest GB |", "| --- |" + " --- |" * 5]
    for rule, r in rules.iterrows():
        lines.append(
            f"| {rule} | {r['jobs']:.0f} | {r['cpu']:.1f} | {r['longest']:.1f} | {r['wall']:.1f} | "
            f"{r['rss'] / 1000:.2f} |"
        )
    return "\n".join(lines) + "\n"


def write(page: Path, text: str, marks: tuple[str, str] = MARKS) -> None:
    """Put `text` between two marks of a page."""
    before, _, rest = page.read_text().partition(marks[0])
    _, _, after = rest.partition(marks[1])
    page.write_text(f"{before}{marks[0]}{text}{marks[1]}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--wall", type=float)
    parser.add_argument("--cpu", type=float)
    given = parser.parse_args()
    text = markdown(jobs(given.results), given.results.name, wall=given.wall, cpu=given.cpu)
    print(text)
    if given.docs:
        write(PAGE, text)


if __name__ == "__main__":
    main()
