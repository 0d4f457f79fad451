"""Blood without a single NK cell among its lymphocytes: a count of zero through a whole run, not a missing file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from checkout import copy_checkout, snakemake
from cimlnk.common.tables import read_table
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.simulate.cytof import simulate_cytof

pytestmark = pytest.mark.slow
DAYS = {"P1": ("pre", "D7", "D28"), "P2": ("pre", "D7", "D28"), "C1": ("pre", "D28")}
LOST = "P1_D28_cytof"  # a day of which the counts sheet has lymphocytes and no NK cells
CONFIG = """cohort: {id: none, samples: sheet.tsv, counts: counts.tsv, patients: config/patients/tiny.tsv,
  panel: resources/panels/synthetic.tsv}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The results of a run of mass cytometry in which the truth's NK cells were taken out of one file."""
    checkout = copy_checkout(tmp_path_factory.mktemp("none") / "checkout")
    folder = checkout / "raw"
    folder.mkdir()
    names = [f"{patient}_{timepoint}_cytof" for patient, points in DAYS.items() for timepoint in points]
    for name in names:
        simulate_cytof("tiny", 1, name, fcs=folder / f"{name}.fcs", truth=folder / f"{name}.parquet")
    file = folder / f"{LOST}.fcs"
    header, truth = read_header(file), pd.read_parquet(folder / f"{LOST}.parquet").set_index("event")
    kinds = truth["class"].reindex(range(header.n_events))
    # of a patient without NK cells there are no doublets with one and no ILC that are taken for one either
    without = read_events(header)[~kinds.isin(["NK", "ILC", "doublet"]).to_numpy()]
    write_fcs(file, without, header.channels, markers=header.markers, metadata=header.text)
    sheet = pd.read_csv(checkout / "config/samples/tiny.tsv", sep="\t").set_index("sample").loc[names].reset_index()
    sheet.assign(path=[f"raw/{name}.fcs" for name in names]).to_csv(checkout / "sheet.tsv", sep="\t", index=False)
    counts = pd.read_csv(checkout / "config/counts/tiny.tsv", sep="\t")
    counts[~(counts["patient"].eq("P1") & (counts["day"] > 28))].to_csv(checkout / "counts.tsv", sep="\t", index=False)
    (checkout / "none.yaml").write_text(CONFIG)
    run = snakemake(checkout, "--cores", "2", "--configfile", "none.yaml")
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-6000:]
    return checkout / "results/none"


def test_the_file_has_no_nk_cells_and_its_lymphocytes(results):
    own = read_table(results / "cytof/summary.parquet").set_index("sample").loc[LOST]
    assert not own["left_out"] and own["n_nk"] == 0 and own["n_lymphocytes"] > 200
    assert own["n_nk_low"] == 0 <= own["n_nk_high"]


def test_the_day_has_none_per_ul_with_an_upper_limit(results):
    table = read_table(results / "dynamics/abundance.parquet")
    day = table[table["sample"] == LOST]
    assert day["population"].tolist() == ["NK"] and day["reason"].tolist() == ["no NK cells in the file"]
    day = day.iloc[0]
    assert day["cells_per_ul"] == day["cells_per_ul_low"] == day["n_nk"] == 0 and np.isnan(day["fraction"])
    assert 0 < day["cells_per_ul_high"] < 0.2 * 369  # the sheet's lymphocytes of that day
    folds = read_table(results / "dynamics/folds.parquet")
    fold = folds[(folds["patient"] == "P1") & (folds["day"] == 28) & (folds["population"] == "NK")].iloc[0]
    assert fold["fold_change"] == fold["fold_low"] == 0 < fold["fold_high"]


def test_the_patient_has_lost_the_cells(results):
    course = read_table(results / "dynamics/kinetics.parquet").set_index(["patient", "population"]).loc[("P1", "NK")]
    assert (course["last_day"], course["last_fold"]) == (28, 0) and np.isfinite(course["auc_log2"])
    assert "P1 by day 28 (0.0-fold at the end)" in (results / "report/summary.html").read_text()


def test_the_warning_says_so_where_it_is_read(results):
    table = read_table(results / "quality/warnings.parquet")
    own = table[(table["sample"] == LOST) & (table["severity"] == "serious")]
    assert own["kind"].tolist() == ["few NK cells"]
    said = own["text"].iloc[0]
    assert said.startswith("0 NK cells among ") and said.endswith(" lymphocytes: counted as none")
    assert "Mend" not in own["remedy"].iloc[0]
    assert said in (results / "report/index.html").read_text()
    assert not (table["kind"] == "sample left out").any()
