"""Lineages on planted blood: the generator counts ions and knows nothing of how lineages are called."""

from __future__ import annotations

import numpy as np
import pytest

from blood import BLOOD, CELLS, MARKERS, blood
from cimlnk.cytof.lineage import LINEAGES, call_lineages, place_events

NK = LINEAGES.index("NK")
FEW = {"resolutions": (1.0, 3.0), "repeats": 1}  # clusterings enough for what all of them must show


def called(x, names, **more):
    return call_lineages(x, names, [5.0] * len(names), **more)


def recovery(lineage, truth):
    """Recall and precision of NK cells; planted doublets count neither way."""
    nk, plain = lineage == NK, truth != "doublet"
    hit = (nk & (truth == "NK")).sum()
    return hit / max((truth == "NK").sum(), 1), hit / max((nk & plain).sum(), 1)


def without(*kinds):
    return {k: v for k, v in BLOOD.items() if k not in kinds}


@pytest.mark.parametrize(
    "shares",
    [
        BLOOD,
        without("neutrophil"),
        without("mono", "mono16"),
        without("B"),
        without("T4", "T8", "NKT", "B"),
        without("NKbright"),
        {k: BLOOD[k] for k in ("T4", "B", "NKdim")},
    ],
    ids=["blood", "pbmc", "no monocytes", "no B", "pre-gated", "no CD56bright", "three kinds"],
)
def test_nk_cells_are_found_whatever_else_is_there(shares):
    x, names, truth = blood(6000, shares)
    recall, precision = recovery(called(x, names).lineage, truth)
    assert recall > 0.95 and precision > 0.95


def test_all_lineages_of_blood():
    x, names, truth = blood(12_000, BLOOD)
    found = np.array(LINEAGES)[called(x, names).lineage]
    for name in ("T", "B", "monocyte", "granulocyte", "DC", "NK"):
        assert (found[truth == name] == name).mean() > 0.93, name
    double = found[truth == "doublet"]
    assert (double != "NK").mean() > 0.9


@pytest.mark.parametrize(
    "gone",
    [
        ["CD56"],
        ["CD16"],
        ["CD7", "CD94", "CD161", "T-bet"],
        ["CD94", "CD161", "T-bet", "CD38"],
        ["CD15", "CD66b"],
        ["CD19"],
        ["CD14"],
        ["HLA-DR", "CD11c", "CD123"],
        ["CD45", "CD33", "CD20", "CD8a", "CD4"],
    ],
    ids=lambda gone: "-".join(gone),
)
def test_any_markers_may_be_missing(gone):
    x, names, truth = blood(8000, without("CIML"), markers=[m for m in MARKERS if m not in gone])
    recall, precision = recovery(called(x, names).lineage, truth)
    # without CD16 the CD56dim cells are a shoulder backed by CD7 alone; without CD56 CD56bright cells lack CD16 as well
    assert recall > 0.85 and precision > 0.9


def test_what_could_not_be_told_is_said():
    x, names, _ = blood(2000, BLOOD, markers=["CD3", "CD7", "CD19"])
    said = " ".join(called(x, names).limits)
    assert "CD56 is not in the panel" in said and "CD14 is not in the panel" in said
    x, names, _ = blood(2000, BLOOD)
    assert not called(x, names).limits


def test_an_enriched_product_has_nothing_negative_to_compare_with():
    x, names, truth = blood(5000, {"CIML": 0.99, "T4": 0.01})
    recall, precision = recovery(called(x, names).lineage, truth)
    assert recall > 0.97 and precision > 0.99
    x, names, truth = blood(3000, {"CIML": 1.0}, doublets=0)
    assert (called(x, names).lineage == NK).mean() > 0.97


@pytest.mark.parametrize("kind", ["T4", "T8", "B", "mono", "neutrophil", "cDC"])
def test_a_file_of_one_lineage_holds_no_nk_cells(kind):
    x, names, _ = blood(3000, {kind: 1.0}, doublets=0)
    result = called(x, names)
    assert (result.lineage == NK).mean() < 0.01
    assert np.bincount(result.lineage, minlength=9).argmax() in (
        LINEAGES.index(CELLS[kind][0]),
        LINEAGES.index("unsure"),
    )


def test_a_stained_background_is_not_a_lineage():
    # every cell carries 40 counts of CD19 and 6 of CD14: an absolute cut would lose all, a valley in the noise half
    x, names, truth = blood(8000, BLOOD, background={"CD19": 40.0, "CD14": 6.0})
    recall, precision = recovery(called(x, names).lineage, truth)
    assert recall > 0.93 and precision > 0.93


def test_a_marker_that_stains_all_cells_tells_nothing_and_b_cells_are_known_by_the_rest():
    # 300 counts of CD19 on every cell, CD20 not in the panel: true B cells are no brighter than the spread
    names = [m for m in MARKERS if m != "CD20"]
    x, names, truth = blood(3000, BLOOD, markers=names, background={"CD19": 300.0})
    result = called(x, names, **FEW)
    found = np.array(LINEAGES)[result.lineage]
    assert any("CD19 stains all cells" in s for s in result.limits)
    assert np.isnan(result.cuts.value[result.markers.index("CD19")])
    assert (found[truth == "B"] == "B").mean() > 0.9
    assert (truth[found == "B"] == "B").mean() > 0.9
    assert min(recovery(result.lineage, truth)) > 0.95


def test_no_doublets_of_a_lineage_that_is_not_there():
    # 12 to 25 counts of CD14 on T cells, as antibodies at high concentration leave, and no monocyte in the tube
    x, names, truth = blood(2500, without("mono", "mono16", "neutrophil", "cDC", "basophil"), doublets=0)
    rng, t = np.random.default_rng(1), truth == "T"
    x[t, names.index("CD14")] = np.arcsinh(rng.uniform(12, 25, t.sum()) / 5)
    found = np.array(LINEAGES)[called(x, names, **FEW).lineage]
    assert (found[t] == "T").mean() > 0.97


def test_background_is_measured_from_cells_and_not_from_debris():
    # every cell carries 90 counts of CD14, monocytes ten times as many, and two in a hundred events are debris
    shares = without("mono16", "neutrophil", "cDC")
    x, names, truth = blood(3000, shares, doublets=0, background={"CD14": 90.0}, gain={"CD14": 6.0})
    x[:100] = 0.0
    found = np.array(LINEAGES)[called(x, names, **FEW).lineage[100:]]
    for name in ("T", "B", "NK", "monocyte"):
        assert (found[truth[100:] == name] == name).mean() > 0.93, name


def test_monocytes_by_cd64_where_the_panel_has_neither_cd14_nor_hla_dr():
    x, _, truth = blood(3000, without("neutrophil", "cDC", "pDC", "mono16"), doublets=0)
    rng, mono = np.random.default_rng(1), truth == "monocyte"
    extra = np.arcsinh(rng.poisson(np.where(mono, 60, 0.5)[:, None] * [1, 2]) / 5).astype(np.float32)
    names = ["CD45", "CD3", "CD19", "CD7", "CD56"]
    values = np.hstack([x[:, [MARKERS.index(m) for m in names]], extra])
    found = np.array(LINEAGES)[called(values, [*names, "CD64", "CD11b"], **FEW).lineage]
    assert (found[mono] == "monocyte").mean() > 0.95 and (found[truth == "NK"] == "NK").mean() > 0.93


def test_no_cut_below_the_noise():
    x, names, _ = blood(5000, without("mono", "mono16"))
    result = called(x, names)
    finite = np.isfinite(result.cuts.value)
    assert (result.cuts.low[finite] >= np.arcsinh(10 / 5) - 1e-9).all()
    assert result.cuts.method[result.markers.index("CD34")] == "none"


def test_the_noise_follows_the_cofactor():
    x, names, truth = blood(5000, BLOOD)
    counts = np.sinh(x) * 5
    result = call_lineages(np.arcsinh(counts / 1.0).astype(np.float32), names, [1.0] * len(names))
    assert (result.cuts.low[np.isfinite(result.cuts.low)] >= np.arcsinh(10) - 1e-9).all()
    recall, precision = recovery(result.lineage, truth)
    assert recall > 0.9 and precision > 0.9


def test_scaled_values_have_no_counts():
    x, names, truth = blood(5000, BLOOD)
    scaled = x / np.quantile(x, 0.999, axis=0).clip(1e-3)
    recall, precision = recovery(called(scaled.astype(np.float32), names, input_scale="scaled").lineage, truth)
    assert recall > 0.85 and precision > 0.85


def test_two_hundred_events():
    x, names, truth = blood(200, BLOOD, seed=3)
    nk = called(x, names).lineage == NK
    assert abs(int(nk.sum()) - int((truth == "NK").sum())) <= 6


def test_steady_over_seeds_and_subsets():
    x, names, _ = blood(6000, BLOOD)
    first = called(x, names)
    again = called(x, names)
    assert np.array_equal(first.probability, again.probability)
    nk = first.lineage == NK
    for seed in (1, 2):
        other = called(x, names, seed=seed).lineage == NK
        assert (nk & other).sum() / (nk | other).sum() > 0.97
    half = np.arange(len(x)) % 2 == 0
    part = called(x[half], names).lineage == NK
    assert (part & nk[half]).sum() / (part | nk[half]).sum() > 0.95
    assert (np.abs(first.counts[:, NK] - nk.sum()) < 0.1 * nk.sum()).all()


def test_further_events_take_the_lineage_of_their_neighbours():
    x, names, truth = blood(9000, BLOOD)
    use = [names.index(m) for m in called(x[:100], names).markers]
    base = call_lineages(x[:5000], names, [5.0] * len(names))
    placed = place_events(x[:, use], x[:5000, use], base.by_clusters, rule=base.contradiction)
    assert np.allclose(placed.probability[:5000], base.probability, atol=0.02)
    recall, precision = recovery(placed.lineage[5000:], truth[5000:])
    assert recall > 0.93 and precision > 0.93


def test_thread_count_does_not_matter():
    x, names, _ = blood(3000, BLOOD)
    one, two = called(x, names, threads=1), called(x, names, threads=2)
    assert np.array_equal(one.probability, two.probability)


def test_too_little_is_refused():
    x, names, _ = blood(10, BLOOD)
    with pytest.raises(ValueError, match="at least 20"):
        called(x, names)
    with pytest.raises(ValueError, match="0 lineage markers"):
        call_lineages(np.zeros((50, 1), np.float32), ["Ki-67"], [5.0])
