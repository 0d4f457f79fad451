"""The single steps against references and truth: quality bounds, doublets, lineages, ambient RNA, gene families."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from cimlnk.common.errors import UserError
from cimlnk.rna.ambient import Ambient, estimate_ambient, subtract_ambient
from cimlnk.rna.doublets import find_doublets
from cimlnk.rna.genes import Specific, family, load_lineages
from cimlnk.rna.lineage import assign_lineages
from cimlnk.rna.qc import bounds, measures
from cimlnk.simulate import design
from cimlnk.simulate.rna import simulate_sample


def test_bounds_are_median_and_mad(settings):
    random = np.random.default_rng(0)
    values = {
        "n_counts": np.exp(random.normal(8, 0.3, 4000)).astype(np.int64),
        "n_genes": np.exp(random.normal(7, 0.2, 4000)).astype(np.int64),
        "mito_percent": random.normal(6, 1.5, 4000).clip(0),
    }
    found = {b.gate: b for b in bounds(values, settings["qc"], 1, sample="s")}
    # A normal distribution's MAD bound lies at n_mads standard deviations; 4,000 cells give it within a few per cent.
    assert np.log(found["counts_low"].value) == pytest.approx(8 - 4 * 0.3, abs=0.05)
    assert np.log(found["counts_high"].value) == pytest.approx(8 + 4 * 0.3, abs=0.05)
    assert np.log(found["genes_low"].value) == pytest.approx(7 - 4 * 0.2, abs=0.05)
    assert found["mitochondrial"].value == pytest.approx(6 + 4 * 1.5, abs=0.4)
    for bound in found.values():
        assert bound.low <= bound.value <= bound.high


def test_mitochondrial_bound_has_floor_and_cap(settings):
    values = {"n_counts": np.full(100, 3000), "n_genes": np.full(100, 1000), "mito_percent": np.full(100, 0.5)}
    assert bounds(values, settings["qc"], 1, sample="s")[-1].value == 5.0
    values["mito_percent"] = np.full(100, 60.0)
    assert bounds(values, settings["qc"], 1, sample="s")[-1].value == 20.0


def test_no_mitochondrial_genes_no_bound(settings):
    values = measures(sp.csr_matrix(np.ones((5, 3), dtype=np.int32)), np.array(["A", "B", "C"]))
    assert np.isnan(values["mito_percent"]).all()
    assert "mitochondrial" not in [b.gate for b in bounds(values, settings["qc"], 1, sample="s")]


@pytest.fixture(scope="module")
def spiked():
    """A sample of the synthetic cohort without its low-quality cells, and which barcodes are doublets (about 5 %)."""
    counts, _, truth = simulate_sample("demo", 1, design.sample("demo", 1, "P1_pre_rna"))
    kept = (truth["class"] != "dead").to_numpy()
    return sp.csr_matrix(counts[kept]), (truth["class"] == "doublet").to_numpy()[kept]


def outscore(score: np.ndarray, double: np.ndarray) -> float:
    """Chance that a doublet has a higher score than a single cell."""
    return float(np.mean(score[double][:, None] > score[~double][None, :]))


def test_planted_doublets_are_called(settings, spiked):
    """Three quarters of them are two NK cells, often of one population."""
    counts, double = spiked
    found = find_doublets(counts, settings["doublets"], 1, sample="s")
    assert found.reason is None and found.method == "mixture"
    assert outscore(found.score, double) >= 0.92
    assert found.called[double].mean() >= 0.5
    assert found.called[~double].mean() <= 0.04
    assert found.share == pytest.approx(double.mean(), abs=0.04)


def test_scrublet_ranks_doublets(settings, spiked):
    counts, double = spiked
    found = find_doublets(counts, settings["doublets"] | {"method": "scrublet"}, 1, sample="s")
    assert outscore(found.score, double) >= 0.70
    assert found.called[~double].mean() <= 0.05


def test_no_doublets_no_calls(settings, make):
    single = make.blood(12, sizes={"NK": 400, "T": 200, "mono": 100})
    assert find_doublets(single.counts, settings["doublets"], 1, sample="s").called.mean() <= 0.02


def test_known_share_is_kept(settings, spiked):
    assert find_doublets(spiked[0], settings["doublets"] | {"expected_rate": 0.08}, 1, sample="s").share == 0.08


def test_implausible_share_calls_nobody(settings, spiked):
    found = find_doublets(spiked[0], settings["doublets"] | {"max_share": 0.01}, 1, sample="s")
    assert not found.called.any() and np.isnan(found.threshold)
    assert "more than 1 % (rna.doublets.max_share)" in found.reason


@pytest.mark.parametrize("method", ["mixture", "scrublet"])
def test_doublets_do_not_depend_on_threads(settings, blood, method):
    from threadpoolctl import threadpool_limits

    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(find_doublets(blood.counts, settings["doublets"] | {"method": method}, 1, sample="s"))
    assert (found[0].score == found[1].score).all()


def test_few_cells_are_not_searched_for_doublets(settings, blood):
    found = find_doublets(blood.counts[:99], settings["doublets"], 1, sample="s")
    assert not found.called.any() and found.reason == "99 cells, fewer than 100"


def test_a_single_gene_cannot_decide_a_lineage():
    markers = {"NK": ("a", "b", "c", "d", "e"), "T": ("t", "u", "v", "w", "x")}
    genes = (*markers["NK"], *markers["T"])
    random = np.random.default_rng(2)
    nk, t = np.repeat([4, 0.02], 5), np.repeat([0.02, 4], 5)
    counts = random.poisson(np.vstack([np.tile(nk, (100, 1)), np.tile(t, (100, 1))])).astype(float)
    counts[0] = [5, 5, 5, 5, 5, 30, 0, 0, 0, 0]  # an NK cell with a T gene
    counts[1] = [0, 5, 5, 5, 5, 0, 0, 0, 0, 0]  # an NK cell without one of its genes
    counts[2] = 0  # nothing at all
    fit = assign_lineages(counts, np.full(200, 4000.0), genes, markers=markers)
    best = fit.best()
    assert best[0] == best[1] == "NK" and best[2] == "none"
    assert (best[3:100] == "NK").all() and (best[100:] == "T").all()
    assert np.allclose(fit.probability.sum(axis=1), 1.0)
    assert fit.converged
    # Rates are learned: 4 in 4,000 counts inside, 0.02 outside, up to the priors' pull of 20 cells.
    assert fit.high == pytest.approx(np.full(10, 1e-3), rel=0.25)
    assert (fit.low < 3e-5).all()


def test_ambient_share_is_recovered():
    random = np.random.default_rng(3)
    genes = np.array([*"abcdefgh", "LYZ", "S100A8"], dtype=object)
    own_nk = np.array([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]) / 8
    own_mono = np.array([1, 1, 1, 1, 1, 1, 1, 1, 4, 4]) / 16
    soup = (own_nk + own_mono) / 2
    for share in (0.02, 0.1, 0.3):
        mean = np.vstack([np.tile((1 - share) * p + share * soup, (300, 1)) for p in (own_nk, own_mono)])
        counts = sp.csr_matrix(random.poisson(2000 * mean).astype(np.int32))
        lineage = np.repeat(["NK", "mono"], 300)
        found = estimate_ambient(counts, genes, lineage, specific={"mono": Specific(("mono",), ("LYZ", "S100A8"))})
        # 300 cells x 2,000 counts x soup share: a relative counting error below 3 %; 2 % of cells are trimmed.
        assert found.fraction == pytest.approx(share, rel=0.1)


def test_ambient_needs_foreign_genes(blood):
    found = estimate_ambient(blood.counts, blood.genes, blood.truth, specific={"x": Specific(("x",), ("NOGENE",))})
    assert np.isnan(found.fraction) and found.reason is not None
    assert subtract_ambient(blood.counts, found, 1, sample="s") is blood.counts


def test_subtraction_takes_the_expected_counts():
    counts = sp.csr_matrix(np.full((400, 10), 20, dtype=np.int32))
    ambient = Ambient(0.25, 0.2, 0.3, {}, np.full(10, 0.1))
    after = subtract_ambient(counts, ambient, 1, sample="s")
    # 80,000 draws of probability 0.75: standard error 0.0015.
    assert after.sum() / counts.sum() == pytest.approx(0.75, abs=0.006)
    assert (subtract_ambient(counts, ambient, 1, sample="s") != after).nnz == 0


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("mitochondrial", ["MT-CO1", "MT-ND6"], ["MTOR", "MT1E"]),
        ("ribosomal", ["RPL10", "RPS27A", "RPLP1", "RPSA", "MRPL3"], ["RPS6KA1", "RPN1"]),
        ("haemoglobin", ["HBA1", "HBB", "HBD"], ["HBEGF", "HBS1L"]),
        ("receptor", ["TRAV1-2", "TRBV7", "IGHV3-23", "IGKC", "IGHG1", "IGLC2", "TRGV9"], ["TRAC", "TRAF3", "IGF1"]),
        ("KIR", ["KIR2DL1", "KIR3DL1", "KIR2DS4", "KIR3DX1"], ["KIRREL1", "KLRC2"]),
        ("HLA", ["HLA-A", "HLA-DRB5", "HLA-DQA1"], ["HLA-DRA", "HLA-DPB1"]),
        ("sex", ["XIST", "RPS4Y1", "DDX3Y"], ["DDX3X", "ZFX"]),
        ("cell_cycle", ["MKI67"], ["MKI67IP"]),
    ],
)
def test_families(name, inside, outside):
    assert family(inside, name).all()
    assert not family(outside, name).any()


def test_lineage_table_faults_are_told_together(tmp_path):
    path = tmp_path / "l.yaml"
    path.write_text(
        "lineages:\n  NK: {kind: nkk, genes: [NKG7]}\n  T: {kind: lymphocyte}\n"
        "ambient:\n  m: {made_by: [Tee], genes: [TRAC]}\n"
    )
    with pytest.raises(UserError) as caught:
        load_lineages(path)
    message = str(caught.value)
    assert "lineages.NK.kind: found 'nkk'" in message and "did you mean 'nk'" in message
    assert "lineages.T" in message and "ambient.m.made_by" in message and "one lineage of kind nk" in message
    with pytest.raises(UserError, match="no file"):
        load_lineages(tmp_path / "none.yaml")


def test_shipped_lineages_leave_cd3_out_of_conventional_t_cells(make):
    known = load_lineages(make.lineages)
    for gene in ("CD3D", "CD3E", "CD3G"):
        assert gene not in known.markers["T"] and gene not in known.markers["T_cytotoxic"]


def test_nearest_are_the_least_of_every_row_also_among_equals():
    from cimlnk.rna.doublet_mixture import _nearest

    distances = np.random.default_rng(3).integers(0, 40, size=(50, 30)).astype(np.float32)
    distances[:25] += np.arange(30, dtype=np.float32) / 64  # no two of a row are equal
    found = _nearest(distances, 7)
    assert found.shape == (50, 7) and all(len(set(row)) == 7 for row in found.tolist())
    taken = np.sort(np.take_along_axis(distances, found, axis=1), axis=1)
    assert (taken == np.sort(distances, axis=1)[:, :7]).all()
