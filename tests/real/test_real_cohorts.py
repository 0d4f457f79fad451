"""Two public cohorts through the same Snakefile as everything else, by config alone."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from checkout import copy_checkout, snakemake

pytestmark = [pytest.mark.real, pytest.mark.slow]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return copy_checkout(tmp_path_factory.mktemp("real"))


def run(checkout: Path, cohort: str, folder: str) -> Path:
    if not (DATA / folder).is_dir():
        pytest.skip(f"no {folder} under CIMLNK_TEST_DATA ({DATA}): the cohort is not run")
    os.environ["CIMLNK_TEST_DATA"] = str(DATA)
    done = snakemake(checkout, "--cores", "2", "--configfile", f"config/{cohort}.yaml")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-5000:]
    return checkout / "results" / cohort


def test_bcrxl_all_files_are_read_and_nk_shares_are_plausible(checkout):
    results = run(checkout, "bcrxl", "cytof_bcrxl")
    summary = pd.read_parquet(results / "cytof/summary.parquet")
    assert len(summary) == 16 and not summary["left_out"].any()
    assert summary["n_events"].sum() == 172_791
    share = summary["n_nk"] / summary["n_events"]
    # CD7+ CD3- cells are 3 to 22 % of the events of these files (their SOURCE.md)
    assert share.round(2).between(0.03, 0.22).all(), share.describe()
    assert (results / "report/index.html").is_file()


def test_pbmc3k_finds_the_nk_cells(checkout):
    import anndata as ad

    results = run(checkout, "pbmc3k", "scrna_pbmc3k_labelled")
    truth = ad.read_h5ad(DATA / "scrna_pbmc3k_labelled/pbmc3k_counts_labels.h5ad", backed="r").obs
    column = next(c for c in truth if (truth[c].astype(str) == "NK").any())
    wanted = set(truth.index[truth[column].astype(str) == "NK"])
    sample = pd.read_parquet(results / "rna/summary.parquet")["sample"].iloc[0]
    found = set(ad.read_h5ad(results / f"rna/samples/{sample}.h5ad", backed="r").obs_names.str.split(":", n=1).str[1])
    hits = len(found & wanted)
    f1 = 2 * hits / (len(found) + len(wanted))
    assert f1 >= 0.9, (hits, len(found), len(wanted))
    assert (results / "report/index.html").is_file()
