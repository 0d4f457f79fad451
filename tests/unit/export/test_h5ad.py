"""One AnnData a modality, opened by anndata, scanpy and mudata: the cells, labels, map and graph that went in."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cimlnk.common.errors import UserError
from cimlnk.export.h5ad import export_h5ad
from cimlnk.export.mudata import export_mudata

ONTOLOGY = {
    "assay": "EFO:0009922", "cell_type": "CL:0000623", "development_stage": "unknown", "disease": "PATO:0000461",
    "tissue": "UBERON:0000178", "ethnicity": "unknown", "sex": "unknown", "organism": "NCBITaxon:9606",
    "suspension_type": "cell", "tissue_type": "tissue", "is_primary_data": False,
}  # fmt: skip


@pytest.mark.parametrize("modality", ["rna", "cytof"])
def test_what_went_in_comes_out(modality, request, tmp_path):
    small = request.getfixturevalue(modality)
    export_h5ad(**small.arguments(tmp_path / "o.h5ad"))
    a = ad.read_h5ad(tmp_path / "o.h5ad")
    assert list(a.obs_names) == small.ids and list(a.var_names) == small.features
    dense = [m.toarray() if sp.issparse(m) else m for m in (a.X, a.layers["counts" if modality == "rna" else "raw"])]
    np.testing.assert_allclose(dense[0], np.concatenate(small.x), rtol=1e-6)
    np.testing.assert_array_equal(dense[1], np.concatenate(small.raw))
    np.testing.assert_array_equal(a.obsm["X_umap"], small.umap)
    np.testing.assert_array_equal(a.obsm["X_features"], small.matrix)
    np.testing.assert_allclose(a.obsp["connectivities"].toarray(), small.w.toarray())
    np.testing.assert_allclose(a.obsp["distances"][5, small.indices[5]].toarray()[0], small.distances[5])
    assert (a.obs["population"].astype(str).to_numpy() == small.named["population"].to_numpy()).all()
    assert (a.obs["cluster"].astype(int).to_numpy() == small.named["cluster"].to_numpy()).all()
    assert set(a.obs.loc[a.obs["sample"] == "S2", "arm"]) == {"IL2_only"} and a.obs["day"].iloc[0] == 7
    assert a.obs["age"].iloc[-1] == 50.5 and "path" not in a.obs
    assert list(a.uns["population_colors"]) == ["#0072B2", "#CC79A7"], "in the order of the categories"
    assert a.uns["neighbors"]["params"]["n_neighbors"] == small.k
    assert "only_S1" in a.uns["cimlnk"], "what only some samples have is named"
    if modality == "rna":
        assert list(a.var["gene_ids"])[:2] == ["ENSG00000105374", "ENSG00000115523"]
        assert set(a.var["gene_id_source"]) == {"input"}
    else:
        assert a.var.loc["CD56", "cofactor"] == 5.0


def test_every_cell_says_its_lineage_or_that_none_was_called(rna, cytof, tmp_path):
    for small in (rna, cytof):
        export_h5ad(**small.arguments(tmp_path / "o.h5ad"))
        obs = ad.read_h5ad(tmp_path / "o.h5ad").obs
        hand = (obs["sample"] == "S1") & (small is cytof)
        assert (obs["lineage"] == "NK")[~hand].all() and obs.loc[
            hand, ["lineage", "lineage_confidence"]
        ].isna().all().all()
    np.testing.assert_array_equal(obs.loc[obs["sample"] == "S2", "lineage_confidence"], cytof.called)
    for file in cytof.files:
        a = ad.read_h5ad(file)
        a.obs = a.obs[[]]
        a.write_h5ad(file)
    export_h5ad(**cytof.arguments(tmp_path / "none.h5ad"))
    assert "lineage" not in ad.read_h5ad(tmp_path / "none.h5ad").obs, "no column where nothing was called"


def test_same_bytes_every_time(rna, tmp_path):
    for name in ("a.h5ad", "b.h5ad"):
        export_h5ad(**rna.arguments(tmp_path / name))
    assert (tmp_path / "a.h5ad").read_bytes() == (tmp_path / "b.h5ad").read_bytes()


def test_of_a_sketch_only_its_cells_have_neighbours(cytof, tmp_path):
    with np.load(cytof.root / "graph.npz") as z:
        whole = dict(z)
    rows = np.arange(0, cytof.n, 2)
    m = len(rows)
    part = sp.random(m, m, 0.2, random_state=0, format="csr", dtype=np.float32)
    whole |= {
        "rows": rows, "indices": np.stack([(np.arange(m) + s) % m for s in (1, 2)], 1).astype("i4"),
        "distances": np.ones((m, 2), "f4"), "data": part.data, "csr_indices": part.indices, "indptr": part.indptr,
    }  # fmt: skip
    np.savez(cytof.root / "graph.npz", **whole)
    export_h5ad(**cytof.arguments(tmp_path / "o.h5ad"))
    a = ad.read_h5ad(tmp_path / "o.h5ad")
    np.testing.assert_allclose(a.obsp["connectivities"][rows][:, rows].toarray(), part.toarray())
    assert a.obsp["connectivities"].nnz == part.nnz and a.obsp["distances"][1].nnz == 0


def test_cells_out_of_order_are_a_fault(cytof, tmp_path):
    arguments = cytof.arguments(tmp_path / "o.h5ad")
    a = ad.read_h5ad(cytof.files[0])
    a[::-1].copy().write_h5ad(cytof.files[0])
    with pytest.raises(ValueError, match="do not lie together"):
        export_h5ad(**arguments)


def test_scanpy_plots_by_population(rna, tmp_path):
    import matplotlib

    matplotlib.use("Agg")
    import scanpy as sc

    export_h5ad(**rna.arguments(tmp_path / "o.h5ad"))
    a = sc.read_h5ad(tmp_path / "o.h5ad")
    drawn = sc.pl.umap(a, color=["population", "NKG7"], show=False)
    colours = {tuple(np.round(c, 2)) for c in drawn[0].collections[0].get_facecolors()}
    assert len(colours) == 2, "the fixed colours of two populations"
    sc.tl.leiden(a, neighbors_key="neighbors", flavor="igraph", n_iterations=2)
    assert a.obs["leiden"].nunique() >= 1


def test_all_modalities_in_one_mudata(rna, cytof, tmp_path):
    mudata = pytest.importorskip("mudata")
    places = {m.modality: tmp_path / f"{m.modality}.h5ad" for m in (cytof, rna)}
    for small in (cytof, rna):
        for file in small.files:  # cell ids of two modalities differ in a cohort
            a = ad.read_h5ad(file)
            a.obs_names = [f"{small.modality}_{n}" for n in a.obs_names]
            a.write_h5ad(file)
        for table in ("cells", "populations", "umap"):
            t = pd.read_parquet(small.root / f"{table}.parquet")
            t.assign(cell=small.modality + "_" + t["cell"]).to_parquet(small.root / f"{table}.parquet")
        export_h5ad(**small.arguments(places[small.modality]))
    export_mudata(modalities=places, output=tmp_path / "c.h5mu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mudata.set_options(pull_on_update=False)
        m = mudata.read_h5mu(tmp_path / "c.h5mu")
    assert list(m.mod) == ["cytof", "rna"] and m.n_obs == cytof.n + rna.n
    np.testing.assert_allclose(m["rna"].X.toarray(), np.concatenate(rna.x), rtol=1e-6)
    assert (m.obs["modality"].value_counts()[["cytof", "rna"]] == [cytof.n, rna.n]).all()
    assert m.obsm["rna"].sum() == rna.n and m.obs.loc["rna_S1:0", "patient"] == "P1"


def test_proteins_share_the_cells_of_their_rna_in_mudata(rna, tmp_path):
    mudata = pytest.importorskip("mudata")
    export_h5ad(**rna.arguments(tmp_path / "rna.h5ad"))
    names = [*ad.read_h5ad(tmp_path / "rna.h5ad").obs_names[:5], "S1:other"]
    obs = {"sample": "S1", "patient": "P1", "day": 0, "lineage_protein": ["NK"] * 5 + ["T"]}
    proteins = ad.AnnData(np.eye(6, 2, dtype=np.float32), obs=pd.DataFrame(obs, index=names))
    proteins.write_h5ad(tmp_path / "adt.h5ad")
    ad.AnnData(np.zeros((0, 0), np.float32)).write_h5ad(tmp_path / "none.h5ad")
    files = {"rna": tmp_path / "rna.h5ad", "adt": tmp_path / "adt.h5ad", "empty": tmp_path / "none.h5ad"}
    export_mudata(modalities=files, output=tmp_path / "c.h5mu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mudata.set_options(pull_on_update=False)
        m = mudata.read_h5mu(tmp_path / "c.h5mu")
    assert list(m.mod) == ["rna", "adt"] and m.n_obs == rna.n + 1
    assert (m.obsm["rna"] & m.obsm["adt"]).sum() == 5
    assert m.obs.loc["S1:other", "patient"] == "P1" and m.obs.loc["S1:other", "population"] is np.nan
    assert list(m["adt"].obs_names) == names


def test_proteins_stand_beside_the_rna_of_their_cells(rna, tmp_path):
    names = [*rna.ids[3:8][::-1], "S1:other"]
    counts = np.arange(12, dtype=np.float32).reshape(6, 2)
    proteins = ad.AnnData(counts / 10, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=["CD56", "CD16"]))
    proteins.layers["counts"] = counts
    proteins.write_h5ad(tmp_path / "adt.h5ad")
    export_h5ad(**rna.arguments(tmp_path / "o.h5ad", proteins=tmp_path / "adt.h5ad"))
    a = ad.read_h5ad(tmp_path / "o.h5ad")
    found = a.obsm["protein_counts"]
    assert list(found.columns) == ["CD56", "CD16"] and found.loc[rna.ids[7]].tolist() == [0, 1]
    assert found.notna().all(axis=1).sum() == 5, "a cell of other lineages is in none of the rows"
    np.testing.assert_allclose(a.obsm["protein"].dropna(), found.dropna() / 10)
    ad.AnnData(np.zeros((0, 0), np.float32)).write_h5ad(tmp_path / "none.h5ad")
    export_h5ad(**rna.arguments(tmp_path / "o.h5ad", proteins=tmp_path / "none.h5ad"))
    assert "protein" not in ad.read_h5ad(tmp_path / "o.h5ad").obsm


def test_fields_of_cellxgene_stand_in_obs_and_patients_override_them(rna, tmp_path):
    export_h5ad(**rna.arguments(tmp_path / "o.h5ad", cellxgene=ONTOLOGY))
    a = ad.read_h5ad(tmp_path / "o.h5ad")
    assert a.var_names[0] == "ENSG00000105374" and a.var["gene_symbol"].iloc[0] == "NKG7"
    assert dict(a.obs.groupby("donor_id", observed=True)["sex_ontology_term_id"].first()) == {
        "P1": "PATO:0000383", "P2": "unknown",
    }  # fmt: skip
    np.testing.assert_array_equal(a.raw.X.toarray(), np.concatenate(rna.raw))


def symbols_only(small, names):
    """The inputs and samples of a cohort whose genes have no second name."""
    rows = "".join(f"{g}\t{g}\tGene Expression\n" for g in names)
    (small.root / "tenx/features.tsv").write_text(rows)
    for file in small.files:
        a = ad.read_h5ad(file)
        a.var_names = [dict(zip(small.features, names, strict=True)).get(g, g) for g in a.var_names]
        a.write_h5ad(file)


def test_genes_without_a_sure_id_are_told_and_left_out_for_cellxgene(rna, tmp_path):
    names = ["NKG7", "Y_RNA", "KLRC1", "no such gene", "CD3E", "GZMB"]
    symbols_only(rna, names)
    export_h5ad(**rna.arguments(tmp_path / "o.h5ad"))
    a = ad.read_h5ad(tmp_path / "o.h5ad")
    assert list(a.var_names) == names and list(a.var["gene_ids"].isna()) == [g in names[1::2][:2] for g in names]
    assert a.var.loc["CD3E", "gene_id_source"] == "symbol, Ensembl 114"
    assert a.var.loc["Y_RNA", "gene_id_source"] == "none: several genes"
    export_h5ad(**rna.arguments(tmp_path / "o.h5ad", cellxgene=ONTOLOGY))
    a = ad.read_h5ad(tmp_path / "o.h5ad")
    kept = [0, 2, 4, 5]
    assert list(a.var["gene_symbol"]) == [names[i] for i in kept] and a.raw.n_vars == 4
    np.testing.assert_array_equal(a.raw.X.toarray(), np.concatenate(rna.raw)[:, kept])
    assert json.loads(a.uns["cimlnk"])["left_out_for_cellxgene"] == ["Y_RNA", "no such gene"]


def test_without_any_known_gene_there_is_nothing_for_cellxgene(rna, tmp_path):
    symbols_only(rna, [f"gene {i}" for i in range(6)])
    with pytest.raises(UserError, match="none of 6 genes has an Ensembl id"):
        export_h5ad(**rna.arguments(tmp_path / "o.h5ad", cellxgene=ONTOLOGY))


def test_cellxgene_schema_accepts_the_file(rna, tmp_path):
    """Needs `cellxgene-schema` on PATH, from an environment of its own: it pins older packages than ours."""
    program = shutil.which("cellxgene-schema")
    if program is None:
        pytest.skip("cellxgene-schema is not on PATH: the file is not put to the validator")
    symbols_only(rna, [*rna.features[:5], "no such gene"])
    export_h5ad(**rna.arguments(tmp_path / "o.h5ad", cellxgene=ONTOLOGY))
    run = subprocess.run([program, "validate", str(tmp_path / "o.h5ad")], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
