"""Public cohorts through the same Snakefile as everything else, by config alone."""

from __future__ import annotations

import os
import re
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


def words_of_an_infusion(results: Path) -> list[str]:
    """Where a table or page speaks of CIML or memory-like cells; the config as resolved (provenance) is left out."""
    said = []
    word = re.compile(r"CIML(?!NK)|memory.?like", re.IGNORECASE)
    packed = re.compile(r"[A-Za-z0-9+/=]{120,}")  # base64 of pictures and arrays holds any four letters by chance
    for path in sorted(results.rglob("*")):
        if path.suffix == ".parquet":
            table = pd.read_parquet(path).select_dtypes(include=["object", "string", "category"])
            texts = [str(v) for column in table for v in table[column].dropna().unique()]
        elif path.suffix in (".html", ".csv", ".wsp", ".xml") and path.name != "provenance.html":
            texts = [path.read_text(encoding="utf-8")]
        else:
            continue
        found = {m.group() for text in texts for m in word.finditer(packed.sub("", text).replace("cimlnk", ""))}
        said += [f"{path.relative_to(results)}: {', '.join(sorted(found))}"] if found else []
    return said


def test_bcrxl_all_files_are_read_and_nk_shares_are_plausible(checkout):
    results = run(checkout, "bcrxl", "cytof_bcrxl")
    summary = pd.read_parquet(results / "cytof/summary.parquet")
    assert len(summary) == 16 and not summary["left_out"].any()
    assert summary["n_events"].sum() == 172_791
    share = summary["n_nk"] / summary["n_events"]
    # CD7+ CD3- cells are 3 to 22 % of the events of these files (their SOURCE.md)
    assert share.round(2).between(0.03, 0.22).all(), share.describe()
    assert (results / "report/index.html").is_file()
    assert words_of_an_infusion(results) == []


def test_two_runs_of_patients_who_were_not_infused(checkout):
    # three files of each run tell what all 26 do, in a quarter of the time; all are called in test_cytof_lineages.py
    sheet = pd.read_csv(checkout / "config/samples/imubac.tsv", sep="\t", dtype=str, keep_default_na=False, comment="#")
    assert len(sheet) == 26
    few = sheet.groupby("batch", sort=False).head(3)
    few.to_csv(checkout / "config/samples/imubac.tsv", sep="\t", index=False)
    assert len(few) == 6
    results = run(checkout, "imubac", "cytof_imubac_2batches")
    assert not pd.read_parquet(results / "cytof/summary.parquet")["left_out"].any()
    assert words_of_an_infusion(results) == []


def test_blood_in_covid_has_no_word_of_an_infusion(checkout):
    arms = {"H00049": "healthy", "H00053": "healthy", "S00006": "mild", "S00016": "mild", "S00040": "critical"}
    rows = [f"{s}\t{s}\t0\tsampled\t{arm}\tblood\trna\t{s}\t{s}" for s, arm in arms.items()]
    header = "sample\tpatient\tday\ttimepoint\tarm\ttissue_or_product\tmodality\tpath\tbatch"
    (checkout / "config/samples/covid.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    text = "cohort:\n  id: covid\n  title: Blood in COVID-19\n  samples: config/samples/covid.tsv\n"
    text += f"  data_root: {DATA / 'scrna_combat_covid'}\n  arms: [healthy, mild, critical]\n"
    (checkout / "config/covid.yaml").write_text(text, encoding="utf-8")
    results = run(checkout, "covid", "scrna_combat_covid")
    assert words_of_an_infusion(results) == []
    names = set(pd.read_parquet(results / "rna/populations.parquet")["population"])
    assert {"CD56dim", "CD56bright", "proliferating"} <= names


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
