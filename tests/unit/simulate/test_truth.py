import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_provenance, read_table
from cimlnk.simulate.cytof import simulate_cytof
from cimlnk.simulate.design import samples
from cimlnk.simulate.rna import simulate_rna
from cimlnk.simulate.sheets import sheets, write_sheets
from cimlnk.simulate.tables import ABUNDANCE, CELLS_CYTOF, CELLS_RNA, EFFECTS, KINETICS
from cimlnk.simulate.truth import abundance, effects, write_truth


@pytest.fixture(scope="module")
def table():
    return abundance("tiny", 1)


def test_subset_fractions_sum_to_one(table):
    subsets = table[(table["population"] != "NK") & table["sample"].notna()]
    sums = subsets.groupby("sample")[["fraction", "fraction_latent"]].sum()
    assert np.allclose(sums, 1)


def test_as_measured_is_sheet_times_file(table):
    counts = sheets("tiny", 1)["counts"].set_index(["patient", "day"])
    nk = table[(table["population"] == "NK") & (table["modality"] == "cytof") & (table["tissue_or_product"] == "blood")]
    both = {"lymphocytes": 0, "nk": 0}
    for row in nk.itertuples():
        given = counts.loc[(row.patient, row.day)]
        if np.isnan(given["nk_per_ul"]):
            both["lymphocytes"] += 1
            assert row.nk_per_ul == pytest.approx(given["lymphocytes_per_ul"] * row.n_nk / row.n_lymphocytes)
        else:
            both["nk"] += 1
            assert row.nk_per_ul == given["nk_per_ul"]
    assert min(both.values()) > 0


def test_measured_and_latent_counts_differ_by_the_laboratory_only(table):
    blood = table[(table["population"] == "NK") & (table["tissue_or_product"] == "blood")]
    ratio = np.log(blood["nk_per_ul"] / blood["nk_per_ul_latent"])
    assert 0.08 < ratio.std() < 0.25  # 15 % of the count, and counting statistics of the file


def test_folds_have_the_pre_infusion_blood_as_denominator(table):
    assert np.allclose(table.loc[(table["timepoint"] == "pre") & (table["n_cells"] > 0), "fold"], 1)
    assert table.loc[table["tissue_or_product"] != "blood", "fold"].isna().all()
    row = table[(table["population"] == "NK") & (table["modality"] == "counts") & (table["day"] == 10)].iloc[0]
    base = table[(table["population"] == "NK") & (table["timepoint"] == "pre") & (table["patient"] == row["patient"])]
    assert row["fold"] == pytest.approx(row["nk_per_ul"] / base["nk_per_ul"].iloc[0])


def test_both_modalities_share_the_blood_count(table):
    nk = table[(table["population"] == "NK") & (table["tissue_or_product"] == "blood")]
    assert (nk.groupby(["patient", "day"])["nk_per_ul"].nunique() == 1).all()


def test_effects_name_both_modalities():
    planted = EFFECTS.check(effects())
    assert set(planted["modality"]) == {"cytof", "rna"} and set(planted["kind"]) == {"state", "programme"}
    week = planted[(planted["timepoint"] == "D7") & (planted["feature"] == "CD16")]
    assert (week["effect"] < 0).all() and len(week) == 1


@pytest.fixture
def written(tmp_path):
    cohort = samples("tiny", 1)
    picked = [s for s in cohort if s.id in ("P1_D7_cytof", "P1_pre_cytof", "P2_pre_rna")]
    parts = {"cytof": [], "rna": []}
    for sample in picked:
        part = tmp_path / f"{sample.id}.parquet"
        if sample.modality == "cytof":
            simulate_cytof("tiny", 1, sample.id, fcs=tmp_path / "a.fcs", truth=part)
        else:
            simulate_rna("tiny", 1, sample.id, truth=part, folder=tmp_path / "f")
        parts[sample.modality].append(part)
    paths = write_sheets("tiny", 1, tmp_path, cohort="mine")
    output = {n: tmp_path / f"{n}.parquet" for n in ("cells_cytof", "cells_rna", "abundance", "effects", "kinetics")}
    return {"sheets": dict(zip(("samples", "counts", "patients"), paths, strict=True)), **parts, "output": output}


def test_all_tables_are_written_with_their_provenance(written):
    write_truth("tiny", 1, "mine", **written, provenance={"rule": "simulate_truth"})
    schemas = {"cells_cytof": CELLS_CYTOF, "cells_rna": CELLS_RNA, "abundance": ABUNDANCE, "kinetics": KINETICS}
    for name, schema in {**schemas, "effects": EFFECTS}.items():
        assert len(read_table(written["output"][name], schema)) > 0
        assert read_provenance(written["output"][name]) == {"rule": "simulate_truth"}
    cells = read_table(written["output"]["cells_cytof"], CELLS_CYTOF)
    told = abundance("tiny", 1).dropna(subset=["sample"])
    counted = cells[cells["class"] == "NK"].groupby(["sample", "population"]).size().rename("counted").reset_index()
    both = counted.merge(told, on=["sample", "population"], how="left")
    assert len(both) > 8 and (both["counted"] == both["n_cells"]).all()


def test_sheets_of_another_cohort_stop_the_truth(written):
    with pytest.raises(UserError, match="python -m cimlnk.simulate.sheets --size tiny --seed 9 --cohort mine"):
        write_truth("tiny", 9, "mine", **written)
    assert not written["output"]["abundance"].exists()
