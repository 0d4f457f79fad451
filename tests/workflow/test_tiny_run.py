"""The whole workflow on the tiny cohort, as a stranger's clone would run it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from checkout import snakemake

pytestmark = pytest.mark.slow
RESULTS = Path("results/tiny")


def test_second_run_has_nothing_to_do(tiny_run):
    again = snakemake(tiny_run, "--cores", "2", "--configfile", "config/tiny.yaml", "-n")
    assert again.returncode == 0, again.stderr
    assert "Nothing to be done" in again.stdout + again.stderr


def test_editing_the_library_reruns_just_the_rules_that_use_it(tiny_run):
    module = tiny_run / "workflow/cimlnk/claims/chance.py"
    before = module.read_text()
    module.write_text(before + "\nedited = 1\n")
    try:
        dry = snakemake(tiny_run, "--cores", "1", "--configfile", "config/tiny.yaml", "-n", "--quiet", "rules")
    finally:
        module.write_text(before)
    assert dry.returncode == 0, dry.stderr
    text = dry.stdout + dry.stderr
    counts = {line.split()[0] for line in text.splitlines() if line[:1].isalpha() and line.split()[-1].isdigit()}
    assert counts == {"claims_evaluate", "export_workbook", "report_site", "all", "total"}


def test_every_table_says_what_it_was_made_from(tiny_run):
    from cimlnk.common.tables import read_provenance

    tables = sorted((tiny_run / RESULTS).glob("*/*.parquet"))
    assert len(tables) > 40
    for path in tables:
        record = read_provenance(path)
        assert record.get("rule"), path
        assert record["versions"]["cimlnk"], path
        assert all(len(digest) == 64 for digest in record["inputs"].values()), path


def test_both_modalities_use_the_same_names(tiny_run):
    names = [
        set(pd.read_parquet(tiny_run / RESULTS / m / "populations.parquet")["population"]) - {"unassigned"}
        for m in ("cytof", "rna")
    ]
    assert len(names[0] & names[1]) >= 5
    # what six small samples do not show by genes: memory-like and adaptive cells, and what is left at the parent name
    assert names[0] - names[1] <= {"adaptive", "memory_like"}
    assert names[1] - names[0] <= {"CD56dim"}


def test_fractions_sum_to_one_and_absolute_counts_follow(tiny_run):
    table = pd.read_parquet(tiny_run / RESULTS / "dynamics/abundance.parquet")
    named = table[(table["population"] != "NK") & table["fraction"].notna()]
    sums = named.groupby(["modality", "sample"])["fraction"].sum()
    assert len(sums) > 0 and (sums - 1).abs().max() < 1e-9
    counted = named.dropna(subset=["cells_per_ul"])
    assert len(counted) > 0
    assert (counted["cells_per_ul"] - counted["nk_per_ul"] * counted["fraction"]).abs().max() < 1e-6


def test_snakemake_report_is_made_offline(tiny_run, tmp_path):
    target = tmp_path / "report.zip"
    done = snakemake(tiny_run, "--configfile", "config/tiny.yaml", "--report", str(target))
    assert done.returncode == 0, done.stderr[-3000:]
    assert target.stat().st_size > 100_000


def test_an_override_of_a_name_runs_no_clustering_again(tiny_run):
    sheet, config = tiny_run / "config/overrides.tsv", tiny_run / "config/tiny_override.yaml"
    sheet.write_text("what\tkey\tmarker\tvalue\taction\twhy\ncluster\tcytof:0\t\tmine\trename\tby eye\n")
    tiny = (tiny_run / "config/tiny.yaml").read_text()
    config.write_text(tiny.replace("cohort:\n", "cohort:\n  overrides: config/overrides.tsv\n", 1))
    dry = snakemake(tiny_run, "--cores", "1", "--configfile", str(config), "-n", "--quiet", "rules")
    assert dry.returncode == 0, dry.stderr
    rows = [line.split() for line in (dry.stdout + dry.stderr).splitlines()]
    counts = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
    assert counts["populations_name"] == 1
    upstream = ("cohort", "simulate_cytof", "simulate_rna", "cytof_", "rna_", "graph_")
    assert [rule for rule in counts if rule.startswith(upstream)] == []
