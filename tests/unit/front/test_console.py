"""The console: few plain lines where no terminal is attached, one live line where one is."""

import io
import logging

import pandas as pd

from cimlnk.common.job import INTERRUPTED
from cimlnk.front.console import Console, duration, stage_of
from cimlnk.front.headlines import headline


class Terminal(io.StringIO):
    def isatty(self):
        return True


def record(event, msg=None, level=logging.INFO, **extra):
    made = logging.LogRecord("snakemake", level, "", 0, msg, None, None)
    made.__dict__.update(extra)
    if event:
        made.event = event
    return made


class Run:
    """A run of 5 sheets jobs and `n` cells jobs, each 10 s long, two at a time."""

    def __init__(self, stream, n=100):
        self.now = 0.0
        self.console = Console(stream, clock=lambda: self.now)
        self.tell("run_info", stats={"cohort_tables": 1, "cytof_cells": n, "all": 1, "total": n + 2})
        self.job(0, "cohort_tables")
        for i in range(1, n + 1):
            self.job(i, "cytof_cells")

    def tell(self, event, **extra):
        self.console.take(record(event, **extra))

    def job(self, number, rule):
        self.tell("job_started", jobs=[number])
        self.tell("job_info", jobid=number, rule_name=rule, output=[f"results/x/{rule}/{number}"], wildcards={})
        self.now += 10
        self.tell("job_finished", job_id=number)
        self.tell("progress", done=number, total=99)


def test_a_hundred_jobs_are_a_handful_of_plain_lines():
    stream = io.StringIO()
    Run(stream)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 6 and "\x1b" not in stream.getvalue()
    assert lines[0] == "cimlnk: 101 steps to do: sheets 1 · mass cytometry 100"
    assert lines[-1].split() == ["mass", "cytometry", "100/100", "17", "min"]
    assert "26 of 101 steps done, about 12 min left" in lines[2]  # 75 jobs of 10 s, one at a time


def test_a_terminal_has_one_live_line_that_is_cleared_before_anything_else():
    stream = Terminal()
    run = Run(stream, n=3)
    assert "\r\x1b[K  1 of 4 steps, about 30 s left · mass cytometry 0/3" in stream.getvalue()
    run.console.close()
    shown = [part.split("\x1b[K")[-1] for part in stream.getvalue().split("\n")]
    assert [line for line in shown if line and not line.startswith("  mass")] == [
        "cimlnk: 4 steps to do: sheets 1 · mass cytometry 3",
        "  sheets              1/1        10 s",
    ]


def test_errors_are_one_line_in_the_house_form_and_chatter_is_not_shown():
    stream = io.StringIO()
    console = Console(stream)
    console.take(record("job_error", "Error in rule x", logging.ERROR, jobid=3, rule_name="cytof_cells",
                        output=["results/x/s1.h5ad"], log=["results/x/logs/s1.log"]))  # fmt: skip
    for text in ("Select jobs to execute...", "Building DAG of jobs...", "Complete log(s): x"):
        console.take(record(None, text))
    console.take(record(None, "Exiting because a job execution failed. Look above for error message", logging.ERROR))
    console.take(record("error", "WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR))
    console.take(record(None, "cimlnk: finished; open x"))
    console.take(record(None, "Nothing to be done (all requested files are present and up to date)."))
    assert stream.getvalue().splitlines() == [
        "cimlnk: error: step cytof_cells failed, so there is no results/x/s1.h5ad; its log: results/x/logs/s1.log",
        "cimlnk: finished; open x",
        "cimlnk: nothing to do: every result is up to date",
    ]


def test_a_finished_stage_says_what_its_tables_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results/x/cytof"
    folder.mkdir(parents=True)
    pd.DataFrame({"n_nk": [10, 90], "n_events": [1000, 1000], "left_out": [False, False]}).to_parquet(
        folder / "summary.parquet"
    )
    stream = io.StringIO()
    Run(stream, n=2)
    assert stream.getvalue().splitlines()[-1].endswith("· 100 NK cells, 1-9 % of a file")
    one = pd.DataFrame({"n_nk": [10], "n_events": [1000], "left_out": [False]})
    one.to_parquet(folder / "summary.parquet")
    pd.DataFrame({"population": ["CD56dim", "unassigned"]}).to_parquet(folder / "populations.parquet")
    pd.DataFrame({"cluster": [0]}).to_parquet(folder / "cluster_support.parquet")
    said = [headline(stage, folder.parent) for stage in ("cytof", "populations", "graph")]
    assert said == [
        "10 NK cells, 1 % of a file",
        "mass cytometry 1 population, 50% unassigned",
        "mass cytometry 1 cluster",
    ]


def test_the_longest_headline_of_two_modalities_fits_on_a_line_of_80(tmp_path):
    for modality, n in (("cytof", 140), ("rna", 128)):
        (tmp_path / modality).mkdir()
        pd.DataFrame({"cluster": range(n)}).to_parquet(tmp_path / modality / "cluster_support.parquet")
    said = headline("graph", tmp_path)
    assert said == "mass cytometry 140 clusters, RNA 128"
    assert len(f"  clustering          8/8       6 min · {said}") <= 80


def test_words():
    assert stage_of("graph_cluster") == "clustering" and stage_of("new_thing") == "new"
    assert [duration(s) for s in (8, 89, 200, 7800)] == ["8 s", "89 s", "3 min", "2 h 10 min"]


def test_steps_that_were_interrupted_are_no_failures(tmp_path):
    stream = io.StringIO()
    run = Run(stream, n=3)
    for name, last in (("a", INTERRUPTED), ("b", INTERRUPTED), ("c", "KeyError: 'x'")):
        (tmp_path / name).write_text(f"2026-11-28 ERROR cimlnk: first\n2026-11-28 INFO cimlnk: {last}\n")
        run.tell(
            "job_error", jobid=9, rule_name="cytof_cells", log=[str(tmp_path / name)], output=[f"results/x/{name}"]
        )
    run.tell("job_error", jobid=9, rule_name="cytof_cells", log=[str(tmp_path / "none")], output=["results/x/d"])
    lines = stream.getvalue().splitlines()
    assert len([line for line in lines if line.startswith("cimlnk: interrupted")]) == 1
    assert [line.split(";")[0][-1] for line in lines if "failed" in line] == ["c", "d"]
