"""Layouts of real folders: files of one name, Cell Ranger's outs, several samples in an h5ad, sheets by barcodes."""

import gzip
from pathlib import Path

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml

from cimlnk.cohort.config import resolve
from cimlnk.cohort.sheets import load_cohort
from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.donors.sheet import load_donors
from cimlnk.front.beside import tool_of, whose
from cimlnk.front.check import check_config
from cimlnk.front.draft import make_draft, report, write_draft
from cimlnk.front.findings import STOP, WARN
from cimlnk.front.split_h5ad import samples_within, write_parts

GENES = ["NKG7", "CD3E", "MS4A1"] + [f"GENE{i}" for i in range(40)]


def names(n, start=0):
    letters = np.array(list("ACGT"))
    return ["".join(letters[(i // 4 ** np.arange(8)) % 4]) * 2 + "-1" for i in range(start, start + n)]


def tenx(folder: Path, barcodes, antibodies=()):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(barcodes))
    counts = rng.poisson(2, (len(GENES) + len(antibodies), len(barcodes)))
    rows, columns = np.nonzero(counts)
    lines = [f"{r + 1} {c + 1} {counts[r, c]}" for r, c in zip(rows, columns, strict=True)]
    head = ["%%MatrixMarket matrix coordinate integer general", f"{counts.shape[0]} {counts.shape[1]} {len(lines)}"]
    (folder / "matrix.mtx").write_text("\n".join([*head, *lines]) + "\n")
    with gzip.open(folder / "barcodes.tsv.gz", "wt") as f:
        f.write("".join(b + "\n" for b in barcodes))
    kinds = [(g, "Gene Expression") for g in GENES] + [(a, "Antibody Capture") for a in antibodies]
    (folder / "features.tsv").write_text("".join(f"{n}\t{n}\t{k}\n" for n, k in kinds))


def vireo(path, barcodes):
    called = ["donor0" if i % 3 else "donor1" for i in range(len(barcodes))]
    table = pd.DataFrame({"cell": barcodes, "donor_id": called, "prob_max": 0.99, "prob_doublet": 0.001})
    table.to_csv(path, sep="\t", index=False)


def test_files_of_one_name_in_folders_of_patients_are_all_there(tmp_path):
    for patient in ("P1", "P2"):
        for day in ("pre", "D7"):
            place = tmp_path / f"raw/{patient}/{day}.fcs"
            place.parent.mkdir(parents=True, exist_ok=True)
            write_fcs(place, np.ones((50, 2), np.float32), ["Yb173Di", "Er170Di"], markers=["CD56", "CD3"])
    samples = make_draft(tmp_path / "raw").samples
    assert list(samples["path"]) == ["P1/D7.fcs", "P1/pre.fcs", "P2/D7.fcs", "P2/pre.fcs"]
    assert list(samples["sample"]) == ["P1_D7", "P1_pre", "P2_D7", "P2_pre"]
    assert list(samples["patient"]) == ["P1", "P1", "P2", "P2"] and list(samples["day"]) == [7, -1, 7, -1]


def test_cell_rangers_folders_are_named_by_their_library_with_calls_and_droplets(tmp_path):
    raw = tmp_path / "raw"
    own = {"P1_D7": names(60), "P1_D28": names(60, 500)}
    for sample, barcodes in own.items():
        tenx(raw / f"{sample}/outs/filtered_feature_bc_matrix", barcodes, ["CD56"])
        tenx(raw / f"{sample}/outs/raw_feature_bc_matrix", names(90, 900), ["CD56"])
        (raw / f"{sample}/outs/molecule_info.h5").write_bytes(b"x")
    vireo(raw / "calls_a.tsv", own["P1_D28"][:55])
    vireo(raw / "calls_b.tsv", names(50, 3000))
    with h5py.File(raw / "gates.h5", "w") as file:
        file["values"] = np.ones(3)
    draft = make_draft(raw, "mine")
    assert list(draft.samples["sample"]) == ["P1_D28", "P1_D7"] and list(draft.samples["day"]) == [28, 7]
    assert draft.donors[["sample", "tool", "calls"]].to_numpy().tolist() == [["P1_D28", "vireo", "calls_a.tsv"]]
    assert "92% of the sample's cells" in draft.donors["?"][0]
    assert any("calls_b.tsv" in n and "of no sample here" in n for n in draft.notes)
    assert set(draft.antibodies["empty"]) == {f"{s}/outs/raw_feature_bc_matrix" for s in own}
    write_draft(draft, tmp_path)
    config = tmp_path / "config/mine.yaml"
    cfg = resolve(yaml.safe_load(config.read_text()), tmp_path)
    cohort = load_cohort(cfg, tmp_path)
    assert load_donors(cfg, tmp_path, cohort.samples).rows[0]["tool"] == "vireo" and len(cohort.antibodies) == 2
    _, findings = check_config(config, tmp_path)
    (row,) = findings.tables["Donor calls"].to_dict("records")
    assert row["cells"] == 55 and round(row["of the sample %"]) == 92 and row["labels"] == "donor0 36, donor1 19"
    vireo(raw / "calls_a.tsv", names(50, 3000))  # another library's
    _, findings = check_config(config, tmp_path)
    assert any("calls_a.tsv" in text and "is it this sample's file?" in text for text in findings.of(STOP))


def test_antibody_tables_find_their_sample_by_barcodes(tmp_path):
    raw = tmp_path / "raw"
    tenx(raw / "one", names(40))
    tenx(raw / "two", names(40, 500))
    counts = pd.DataFrame(np.arange(80).reshape(2, 40), index=["CD56", "CD16"], columns=names(40, 500))
    counts.to_csv(raw / "adt.csv")
    draft = make_draft(raw, "mine")
    assert draft.antibodies[["sample", "counts"]].to_numpy().tolist() == [["two", "adt.csv"]]
    write_draft(draft, tmp_path)
    _, findings = check_config(tmp_path / "config/mine.yaml", tmp_path)
    table = findings.tables["Antibody counts in files of their own"]
    assert table["of the sample %"].tolist() == [100] and table["antibodies"].tolist() == [2]
    counts.set_axis(names(40, 2000), axis=1).to_csv(raw / "adt.csv")
    _, findings = check_config(tmp_path / "config/mine.yaml", tmp_path)
    assert any("two would be left out" in text for text in findings.of(WARN))


def test_whose_a_file_is_is_not_guessed_where_two_samples_have_its_barcodes(tmp_path):
    cells = {"S1": names(10), "S2": names(10)}
    assert whose(names(10), cells, tmp_path / "calls.tsv") == (None, "the cells of S1, S2 are in it")
    assert whose(names(10), cells, tmp_path / "S2/donor_ids.tsv")[0] == "S2"
    (tmp_path / "x.tsv").write_text("barcode\tstatus\tassignment\n")
    (tmp_path / "y.tsv").write_text("gene\tname\n")
    assert tool_of(tmp_path / "x.tsv") == "souporcell" and tool_of(tmp_path / "y.tsv") is None


@pytest.fixture(params=["sparse", "dense", "raw"])
def pooled(tmp_path, request):
    """Three samples of two donors in one h5ad, cells in any order, a cell of nobody."""
    rng = np.random.default_rng(4)
    order = rng.permutation(90)
    counts = rng.poisson(1, (90, len(GENES))).astype(np.float32)
    obs = pd.DataFrame(
        {"donor": np.repeat(["A", "A", "B"], 30), "visit": np.repeat(["pre", "D7", "pre"], 30),
         "disease": np.repeat(["x", "x", "y"], 30), "depth": counts.sum(1)}, index=names(90),
    ).iloc[order]  # fmt: skip
    obs.iloc[0, 0] = None
    matrix = counts if request.param == "dense" else sp.csr_matrix(counts)
    data = ad.AnnData(matrix[order], obs=obs, var=pd.DataFrame(index=GENES))
    if request.param == "raw":
        data.raw = data.copy()
        data.X = np.log1p(data.X.toarray()) - 0.3
    (tmp_path / "raw").mkdir()
    data.write_h5ad(tmp_path / "raw/all.h5ad")
    return tmp_path, obs, pd.DataFrame(counts[order], index=obs.index)


def test_an_h5ad_of_several_samples_becomes_a_file_each(pooled):
    base, obs, counts = pooled
    draft = make_draft(base / "raw", "mine")
    assert list(draft.samples.sort_values("sample")["sample"]) == ["A_D7", "A_pre", "B_pre"]
    assert any(
        "3 samples by the obs column donor and visit" in n and "of no sample, left out: 1" in n for n in draft.notes
    )
    write_draft(draft, base)
    cfg = resolve(yaml.safe_load((base / "config/mine.yaml").read_text()), base)
    cohort = load_cohort(cfg, base)
    rows = cohort.samples.set_index("sample")
    assert dict(rows["patient"]) == {"A_D7": "A", "A_pre": "A", "B_pre": "B"}
    assert dict(rows["arm"]) == {"A_D7": "x", "A_pre": "x", "B_pre": "y"}
    assert dict(rows["day"]) == {"A_D7": 7, "A_pre": -1, "B_pre": -1}
    for sample, path in rows["path"].items():
        part = ad.read_h5ad(base / path)
        donor, visit = sample.split("_")
        own = obs.index[(obs["donor"] == donor) & (obs["visit"] == visit)]
        assert list(part.obs_names) == list(own) and list(part.var_names) == GENES
        np.testing.assert_array_equal(part.X.toarray(), counts.loc[own])
    assert not [t for t in check_config(base / "config/mine.yaml", base)[1].of(STOP) if "none of" not in t]


def test_one_sample_stays_whole_and_values_that_are_no_counts_are_told(tmp_path):
    obs = pd.DataFrame({"cluster": ["a", "b"] * 10, "sample": "S1"}, index=names(20))
    ad.AnnData(np.ones((20, 3), np.float32), obs=obs).write_h5ad(tmp_path / "one.h5ad")
    assert samples_within(tmp_path / "one.h5ad") is None
    obs["sample"] = ["S1", "S2"] * 10
    ad.AnnData(np.full((20, 3), 0.5, np.float32), obs=obs).write_h5ad(tmp_path / "log.h5ad")
    parts = samples_within(tmp_path / "log.h5ad")
    with pytest.raises(UserError, match="normalised"):
        write_parts(parts, {s: tmp_path / f"{s}.h5ad" for s in parts.rows})
    assert report(make_draft(tmp_path, "mine"), [])[-1].startswith("next:")
