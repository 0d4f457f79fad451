"""From samples to features: shared genes, choice of genes, components, integration, and what is written."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cimlnk.cohort.tables import SAMPLES
from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_table, write_table
from cimlnk.rna.cells import leave_out, write_cells
from cimlnk.rna.components import components, standardise
from cimlnk.rna.features import defining_genes, make_features
from cimlnk.rna.genes import gene_table, load_lineages
from cimlnk.rna.integrate import explained, harmonise
from cimlnk.rna.normalise import normalise
from cimlnk.rna.tables import CELLS, SUMMARY
from cimlnk.rna.variable import POOLED_KIR, choose_genes, excess_variance, moments

RECORD = {
    "left_out": False,
    "reason": None,
    "found": "test",
    "notes": [],
    "ambient": {},
    "doublets": {},
    "lineages": {},
    "summary": {
        "n_events": 100,
        "n_live_singlets": 90,
        "n_lymphocytes": 80.0,
        "n_nk": 60,
        "n_nk_low": 58.0,
        "n_nk_high": 61.0,
        "qc_score": 0.9,
    },
}
EXTRA = ["HLA-A", "XIST", "RPS4Y1", "IGKC", "TRAV1-2", "HBB", "KIR2DL1", "KIR2DL3", "KIR3DL1", "MKI67"]
GENES = [*(f"GENE{i:04d}" for i in range(600)), "MT-CO1", "RPL10", "LYZ", *EXTRA]


def nk_sample(seed: int, kir: tuple[str, ...] = ("KIR2DL1",), shift: float = 0.0, n: int = 240) -> sp.csr_matrix:
    """NK cells of two populations (genes 0-29 and 30-59 raised), half of the second with the donor's KIR."""
    random = np.random.default_rng(seed)
    level = np.random.default_rng(0).gamma(1.0, 1.0, len(GENES)) + 0.05
    level *= np.exp(shift * np.random.default_rng(99 + seed).normal(size=len(GENES)))
    mean = np.tile(level, (n, 1))
    mean[: n // 2, :30] *= 8
    mean[n // 2 :, 30:60] *= 8
    for gene in ("KIR2DL1", "KIR2DL3", "KIR3DL1"):
        mean[:, GENES.index(gene)] = 0.0
        if gene in kir:
            mean[n // 2 :, GENES.index(gene)] = 8.0
    mean *= random.lognormal(0, 0.2, (n, 1))
    return sp.csr_matrix(random.poisson(mean).astype(np.int32))


@pytest.fixture
def cohort(tmp_path, settings, make):
    settings["features"] |= {"n_genes": 200, "min_common_genes": 100}

    def go(matrices, batches=None, days=None, genes=None, left=(), name="out"):
        folder = tmp_path / name
        rows, files = [], []
        for i, (sample, matrix) in enumerate(matrices.items()):
            path = folder / f"{sample}.h5ad"
            columns = np.array((genes or {}).get(sample, GENES), dtype=object)
            obs = pd.DataFrame({"sample": sample}, index=[f"{sample}:c{j}" for j in range(matrix.shape[0])])
            write_cells(str(path), matrix, obs, genes=columns, record=RECORD)
            files.append(str(path))
            day = (days or [0] * 99)[i]
            rows.append(
                (sample, f"P{i}", day, f"D{day}", "CIML", "blood", "rna", "x", (batches or ["b"] * 99)[i], None)
            )
        for sample in left:
            path = folder / f"{sample}.h5ad"
            leave_out(UserError("f", "w", "x", "y"), sample=sample, output=str(path), gates=str(folder / "g.parquet"))
            files.append(str(path))
            rows.append((sample, "PX", 0, "D0", "CIML", "blood", "rna", "x", "b", None))
        write_table(pd.DataFrame(rows, columns=list(SAMPLES.columns)), folder / "samples.parquet", SAMPLES)
        out = SimpleNamespace(
            summary=folder / "summary.parquet",
            cells=folder / "cells.parquet",
            features=folder / "features.npy",
            report=folder / "features.json",
        )
        make_features(
            cells=files,
            samples=str(folder / "samples.parquet"),
            lineages=str(make.lineages),
            definitions=str(make.definitions),
            settings=settings,
            seed=1,
            summary=str(out.summary),
            cell_table=str(out.cells),
            features=str(out.features),
            report=str(out.report),
            provenance={"rule": "rna_features"},
        )
        return out

    return go


def test_rows_of_all_tables_belong_together(cohort):
    out = cohort({"s2": nk_sample(1), "s1": nk_sample(2)}, left=["s0"])
    matrix, cells = np.load(out.features), read_table(out.cells, CELLS)
    summary, report = read_table(out.summary, SUMMARY), json.loads(out.report.read_text())
    assert matrix.dtype == np.float32 and matrix.shape == (480, len(report["names"]))
    assert list(cells["sample"].unique()) == ["s1", "s2"] and (cells["cell"].iloc[0] == "s1:c0")
    assert list(summary["sample"]) == ["s0", "s1", "s2"]
    assert list(summary["left_out"]) == [True, False, False]
    assert summary["reason"][0].startswith("f: w") and summary["n_nk"].tolist() == [0, 60, 60]
    assert report["samples"]["s0"]["left_out"].startswith("f: w")
    # The two planted populations are the first axis of the features, in both samples.
    first = matrix[:, 0].reshape(2, 2, 120)
    assert (np.sign(first[:, 0].mean(axis=1)) != np.sign(first[:, 1].mean(axis=1))).all()
    assert np.abs(first.mean(axis=2)).min() > 3 * first.std(axis=2).max()


def test_same_bytes_with_one_and_two_threads(cohort):
    from threadpoolctl import threadpool_limits

    made = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            out = cohort({"a": nk_sample(1), "b": nk_sample(2, shift=0.3)}, batches=["b1", "b2"], name=str(threads))
        made.append([p.read_bytes() for p in vars(out).values()])
    assert made[0] == made[1]


def test_families_never_become_features(cohort):
    report = json.loads(cohort({"a": nk_sample(1), "b": nk_sample(2)}).report.read_text())
    chosen = report["features"]["chosen"]
    for gene in ("MT-CO1", "RPL10", "LYZ", "HLA-A", "XIST", "RPS4Y1", "IGKC", "TRAV1-2", "HBB", "KIR2DL1", "KIR3DL1"):
        assert gene not in chosen
    assert chosen[-1] == POOLED_KIR and "MKI67" in chosen  # the cell cycle is a population of ours


def test_pooled_kir_does_not_split_donors(cohort, settings):
    """Two donors with different KIR genes: pooled, their KIR+ cells lie together; kept apart, they do not."""

    def apart(kir):
        settings["features"] |= {"kir": kir, "n_components": 8}
        donors = {"a": nk_sample(1, kir=("KIR2DL1",)), "b": nk_sample(2, kir=("KIR3DL1",))}
        x = np.load(cohort(donors, name=kir).features).reshape(2, 2, 120, 8)
        positive, negative = x[:, 1], x[:, 0]
        between_donors = np.linalg.norm(positive[0].mean(axis=0) - positive[1].mean(axis=0))
        return between_donors / np.linalg.norm(positive.mean(axis=(0, 1)) - negative.mean(axis=(0, 1)))

    assert apart("pooled") < 0.1 < apart("keep")


def test_genes_missing_from_a_sample_are_reported(cohort):
    short = [g for g in GENES if g not in ("GENE0001", "GENE0002")]
    keep = [GENES.index(g) for g in short]
    out = cohort({"a": nk_sample(1), "b": sp.csr_matrix(nk_sample(2)[:, keep])}, genes={"b": short})
    genes = json.loads(out.report.read_text())["genes"]
    assert genes["shared"] == len(short) and genes["in_any_sample"] == len(GENES)
    assert genes["missing"] == {"b": {"n": 2, "first": ["GENE0001", "GENE0002"]}}


def test_too_few_shared_genes_is_a_user_error(cohort):
    few = GENES[:80]
    with pytest.raises(UserError, match=r"80 genes shared by all 2 samples \(b lists 80\)"):
        cohort({"a": nk_sample(1), "b": sp.csr_matrix(nk_sample(2)[:, :80])}, genes={"b": few})


def test_no_usable_sample_is_a_user_error(cohort):
    with pytest.raises(UserError, match="none of 1 can be used"):
        cohort({}, left=["s0"])


def test_batches_confounded_with_time_are_not_corrected(cohort):
    out = cohort({"a": nk_sample(1), "b": nk_sample(2, shift=0.4)}, batches=["b1", "b2"], days=[0, 28])
    record = json.loads(out.report.read_text())["integration"]
    assert record["method"] == "none" and "cannot be distinguished from batches" in record["reason"]
    assert record["explained_before"]["batch"] > 0


def test_balanced_batches_are_corrected_and_populations_kept(cohort, settings):
    samples = {f"s{i}": nk_sample(i % 2, shift=0.5) for i in range(4)}  # two batches, each with its own gene factors
    layout = {"batches": ["b0", "b1", "b0", "b1"], "days": [0, 0, 28, 28]}
    settings["integrate"]["method"] = "none"
    plain = json.loads(cohort(samples, **layout, name="plain").report.read_text())["integration"]
    settings["integrate"]["method"] = "harmony"
    out = cohort(samples, **layout, name="harmony")
    record = json.loads(out.report.read_text())["integration"]
    assert plain["method"] == "none" and "switched off" in plain["reason"]
    assert record["method"] == "harmony"
    assert record["explained_after"]["batch"] < 0.3 * record["explained_before"]["batch"]
    x = np.load(out.features).reshape(4, 2, 120, -1)
    first, second = x[:, 0].reshape(480, -1), x[:, 1].reshape(480, -1)
    gap = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert gap > 2 * np.linalg.norm(first.std(axis=0))


def test_unknown_batch_column_names_the_nearest(cohort, settings):
    settings["integrate"]["key"] = "bach"
    with pytest.raises(UserError, match="found 'bach'.*did you mean 'batch'"):
        cohort({"a": nk_sample(1)})


def test_moments_over_pieces_are_those_of_the_whole():
    x = normalise(nk_sample(1))
    whole = moments([("b", x)])["b"]
    pieces = moments([("b", x[:100]), ("b", x[100:])])["b"]
    for name in whole:
        assert np.allclose(whole[name], pieces[name])
    dense = x.toarray().astype(float)
    assert np.allclose(whole["sum"] / whole["n"], dense.mean(axis=0))


def test_excess_variance_finds_the_planted_genes_and_ignores_batch_shifts():
    one, two = nk_sample(1), nk_sample(2)
    shifted = two.toarray()
    shifted[:, 100:140] += 20  # constant within the batch
    excess = excess_variance(moments([("b1", normalise(one)), ("b2", normalise(sp.csr_matrix(shifted)))]))
    top = set(np.argsort(-excess)[:60])
    assert len(top & set(range(60))) >= 54  # 60 planted, some of them nearly silent
    assert len(top & set(range(100, 140))) == 0


def test_chosen_genes_honour_exclusion_and_wish(settings, make):
    genes = ["A", "B", "C", "MT-CO1", "KIR2DL1", "LYZ"]
    options = settings["features"] | {"n_genes": 1}
    table = choose_genes(
        genes,
        np.array([1.0, 3.0, 0.5, 9.0, 8.0, 7.0]),
        options,
        known=load_lineages(make.lineages),
        wanted=["C", "LYZ", "ABSENT"],
    )
    assert table["gene"][table["chosen"]].tolist() == ["B", "C"]
    assert table["excluded"].tolist() == [None, None, None, "mitochondrial", "KIR", "lineage"]


def test_components_match_a_reference_decomposition():
    random = np.random.default_rng(0)
    x = standardise(
        (random.normal(size=(300, 4)) @ random.normal(size=(4, 40)) + random.normal(size=(300, 40))).astype("f4")
    )
    found = components(x.copy(), 4)
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    assert np.allclose(np.abs(found.scores), np.abs(u[:, :4] * s[:4]), atol=1e-3)  # float32 scores of size ~10
    assert np.allclose(found.eigenvalues, s[:4] ** 2 / 299, rtol=1e-5)
    tops = np.abs(found.loadings).argmax(axis=0)
    assert (found.loadings[tops, range(4)] > 0).all()


def test_number_of_components_follows_the_signal():
    random = np.random.default_rng(1)
    noise = random.normal(size=(2000, 200)).astype("f4")
    assert components(standardise(noise.copy()), None).scores.shape[1] == 5  # the least; nothing exceeds noise
    loadings = np.zeros((8, 200), dtype="f4")
    for i in range(8):
        loadings[i, 20 * i : 20 * i + 20] = 1.0
    signal = noise + random.normal(size=(2000, 8)).astype("f4") @ loadings
    assert components(standardise(signal), None).scores.shape[1] == 8


def test_constant_genes_are_harmless():
    x = standardise(np.array([[1, 5], [2, 5], [4, 5]], dtype="f4"))
    assert (x[:, 1] == 0).all() and np.isfinite(components(x, 1).scores).all()


def test_explained_variance_between_groups():
    x = np.array([[0.0], [0.0], [2.0], [2.0]])
    assert explained(x, np.array(["a", "a", "b", "b"])) == pytest.approx(1.0)
    assert explained(x, np.array(["a", "b", "a", "b"])) == pytest.approx(0.0)
    assert explained(np.zeros((4, 1)), np.array(["a", "b", "a", "b"])) == 0.0


def test_refused_correction_returns_the_scores_untouched(settings):
    scores = np.random.default_rng(0).normal(size=(20, 3)).astype("f4")
    sheet = pd.DataFrame({"batch": ["1", "2"], "timepoint": ["a", "b"], "arm": ["x", "x"]}, index=["s", "t"])
    same, record = harmonise(
        scores, np.repeat(["s", "t"], 10), sheet, settings=settings["integrate"], verdict=(False, "aliased"), seed=1
    )
    assert same is scores and record["reason"] == "aliased" and "explained_after" not in record


def test_defining_genes_expand_groups(make):
    genes = defining_genes(str(make.definitions))
    assert {"KLRC2", "KIR2DL1", "MKI67", "IL7R"} <= set(genes) and "KIR" not in genes and "cycle" not in genes


def test_gene_table_names_the_family_of_each_gene(make):
    table = gene_table(["MT-CO1", "NKG7", "KIR2DL1", "LYZ"], load_lineages(make.lineages))
    assert table["family"].tolist() == ["mitochondrial", None, "KIR", "lineage"]
