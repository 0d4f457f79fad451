"""The site of very many patients: bounded, nobody lost, and no word of it where all fit."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.tables import Schema, write_table
from cimlnk.dynamics.abundance.tables import ABUNDANCE
from cimlnk.report.blocks import Site
from cimlnk.report.many import (
    CHOSEN_PATIENTS,
    MOST_PATIENTS,
    MOST_SAMPLES,
    away,
    choose,
    oddities,
    of_patients,
    patients_shown,
    samples_shown,
)
from cimlnk.report.run import Run
from cimlnk.report.site import write_site

LOOSE = Schema("loose", {"sample": ("str?", "id")}, extra=True)
CELLS = Schema("loose", {"cell": ("str", "id")}, extra=True)
CONFIG = {"cohort": {"id": "x"}, "claims": {"arms": {"treated": "CIML"}, "bounds": {}}, "simulate": None,
          "dynamics": {"baseline_timepoint": "pre"}}  # fmt: skip


def cohort(root, n):
    """Tables of `n` patients with one file each: P000 is left out, P001 warned of, P002 has a share like no other."""
    names = [f"P{i:03d}" for i in range(n)]
    samples = pd.DataFrame({"sample": [f"{p}_s" for p in names], "patient": names, "day": 0, "timepoint": "pre",
                            "arm": ["CIML" if i % 2 else "IL2" for i in range(n)], "tissue_or_product": "blood",
                            "modality": "cytof", "batch": "1"})  # fmt: skip
    write_table(samples, root / "cohort/samples.parquet", LOOSE)
    nk = 100.0 + np.arange(n) % 7
    nk[2] = 900.0
    summary = pd.DataFrame({"sample": samples["sample"], "left_out": samples.index == 0, "reason": None, "n_nk": nk,
                            "n_lymphocytes": 1000.0, "n_nk_low": nk, "n_nk_high": nk, "n_events": 5000.0,
                            "n_live_singlets": 4000.0, "qc_score": 1.0})  # fmt: skip
    summary.loc[0, "reason"] = "no such file"
    write_table(summary, root / "cytof/summary.parquet", LOOSE)
    told = pd.DataFrame({"sample": ["P001_s", "P003_s", None], "modality": "cytof", "stage": "cytof", "kind": "k",
                         "severity": ["serious", "note", "serious"], "text": "t", "remedy": "r",
                         "subject": None})  # fmt: skip
    write_table(told, root / "quality/warnings.parquet", LOOSE)
    write_table(
        pd.DataFrame({"sample": samples["sample"], "population": "NK"}), root / "cytof/populations.parquet", LOOSE
    )
    write_table(ABUNDANCE.empty(), root / "dynamics/abundance.parquet", ABUNDANCE)
    for sample in samples["sample"]:
        (root / "cytof/gates").mkdir(exist_ok=True)
        (root / f"cytof/gates/{sample}.png").write_bytes(b"picture")
    return samples


@pytest.fixture
def run(tmp_path):
    cohort(tmp_path, MOST_SAMPLES + 80)
    return Run(tmp_path, [f for f in tmp_path.rglob("*") if f.is_file()], CONFIG)


def test_choice_keeps_the_odd_the_order_and_the_number():
    table = pd.DataFrame({"left_out": False, "told": 0, "away": 0.0}, index=[f"s{i}" for i in range(20)])
    table.loc["s3", "left_out"], table.loc["s4", "told"], table.loc["s5", "away"] = True, 2, 9.0
    assert choose(table, 20) == list(table.index)
    found = choose(table, 8)
    assert len(found) == 8 and {"s3", "s4", "s5"} <= set(found) and found == sorted(found, key=lambda s: int(s[1:]))
    assert {"s0", "s19"} <= set(found), "the others are spread over all"
    table["told"] = 1
    assert len(choose(table, 8)) == 8 and {"s0", "s19"} & set(choose(table, 8))


@pytest.mark.filterwarnings("error:Mean of empty slice:RuntimeWarning")
def test_of_values_that_nobody_knows_none_is_away_and_numpy_is_not_asked():
    assert away(pd.Series([np.nan, np.nan], index=["a", "b"])).to_dict() == {"a": 0.0, "b": 0.0}
    values = pd.Series([1.0, 2, 3, 40, np.nan, np.nan])
    far = values.groupby(list("aaaabb")).transform(away)
    assert far[3] > 10 and (far[4:] == 0).all()


def test_the_unusual_have_pages_and_columns(run):
    shown = patients_shown(run)
    assert len(shown) == CHOSEN_PATIENTS and {"P000", "P001", "P002"} <= set(shown)
    why = oddities(run)["why"]
    assert why["P000_s"] == "left out" and why["P001_s"] == "k" and why["P002_s"] == "unusual share of NK cells"
    assert why["P003_s"] == "", "a note is nothing unusual"
    names, words = samples_shown(run, list(run.samples["sample"]))
    assert (
        len(names) == MOST_SAMPLES and "P002_s" in names and f"{MOST_SAMPLES} of {MOST_SAMPLES + 80} samples" in words
    )
    rows, words = of_patients(run, run.samples)
    assert len(rows) == CHOSEN_PATIENTS and f"{CHOSEN_PATIENTS} of {MOST_SAMPLES + 80} patients" in words
    rows, words = of_patients(run, run.samples.head(MOST_PATIENTS))
    assert len(rows) == MOST_PATIENTS and words == ""


@pytest.mark.parametrize("n", [MOST_PATIENTS, MOST_PATIENTS + 10])
def test_every_patient_is_found_from_the_site(tmp_path, n):
    root = tmp_path / "results"
    samples = cohort(root, n)
    (root / "cytof/populations.parquet").unlink()
    (root / "export").mkdir()
    (root / "export/patients.pdf").write_bytes(b"%PDF")
    files = [f for f in root.rglob("*") if f.is_file()]
    write_site(root=root, files=files, config=CONFIG, output=root / "report")
    pages = {p.stem.removeprefix("patient-") for p in (root / "report").glob("patient-*.html")}
    assert len(pages) == (MOST_PATIENTS if n == MOST_PATIENTS else CHOSEN_PATIENTS)
    everybody = root / "report/patients.html"
    assert everybody.exists() == (n > MOST_PATIENTS)
    if everybody.exists():
        text = everybody.read_text()
        rows = re.findall(r"<tr><td>.*?</tr>", text)
        assert len(rows) == n
        for number, row in enumerate(rows, 1):
            place, name = re.search(r'<a href="([^"]*)">(P\d+)</a>', row).groups()
            assert place == (f"patient-{name}.html" if name in pages else f"patients.pdf#page={number}")
            assert (everybody.parent / re.search(r'href="(\.\./[^"]*)"', row)[1]).resolve().is_file()
        # as the PDF is ordered: by arm and patient
        order = [re.search(r">(P\d+)<", row)[1] for row in rows]
        assert order == list(samples.sort_values(["arm", "patient"])["patient"])
        assert "All patients" in (root / "report/index.html").read_text()
    else:
        assert "All patients" not in (root / "report/index.html").read_text()


def test_files_of_the_site_are_cut_with_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr("cimlnk.report.blocks.MOST_FILE_ROWS", 10)
    site = Site(tmp_path, "t")
    from cimlnk.report.style import pyplot

    block = site.figure("f", pyplot().figure(), "Caption.", table=pd.DataFrame({"x": range(12)}))
    assert block.caption == "Caption. The file holds the first 10 of 12 rows, the results all."
    assert len(pd.read_csv(tmp_path / block.table)) == 10 and site.cut == {"tables/f.csv": (10, 12)}
    assert site.figure("g", pyplot().figure(), "Caption.", table=pd.DataFrame({"x": range(10)})).caption == "Caption."


def test_cells_are_thinned_before_they_are_joined(tmp_path):
    cells = [f"s{k // 50}:{k}" for k in range(100)]
    named = pd.DataFrame({"cell": cells, "sample": [c.split(":")[0] for c in cells], "population": "NK"})
    umap = pd.DataFrame({"cell": cells, "umap1": np.arange(100.0), "umap2": 0.0})
    samples = pd.DataFrame({"sample": ["s0", "s1"], "patient": ["a", "b"], "day": 0, "timepoint": "pre", "arm": "x",
                            "tissue_or_product": "blood", "modality": "cytof", "batch": "1"})  # fmt: skip
    write_table(samples, tmp_path / "cohort/samples.parquet", LOOSE)
    found = []
    for order in (umap.index, umap.index[::-1]):  # in the same order, and in another
        write_table(named, tmp_path / "cytof/populations.parquet", LOOSE)
        write_table(
            umap.loc[order], tmp_path / "cytof/umap.parquet", Schema("loose", {"cell": ("str", "")}, extra=True)
        )
        run = Run(tmp_path, list(tmp_path.rglob("*.parquet")), CONFIG)
        assert len(run.cells("cytof")) == 100 and run.rows("cytof/umap.parquet") == 100
        found.append(run.cells("cytof", 10))
        assert run.populations_of("cytof") == ["NK"]
    pd.testing.assert_frame_equal(*found)
    assert found[0]["patient"].value_counts().to_dict() == {"a": 5, "b": 5}
    assert (found[0]["umap1"] == [int(c.split(":")[1]) for c in found[0]["cell"]]).all()
