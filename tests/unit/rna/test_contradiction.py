"""T cells with the genes of NK cells, and NK cells with CD3 chains: distinguished by what only T cells make."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.rna.contradiction import contradict
from cimlnk.rna.genes import Against, load_lineages
from cimlnk.rna.lineage import Lineages

ONLY_T = ("TRAC", "CD5", "CD6", "CD8B", "CD28", "TRAT1", "MAL", "CD27", "CD40LG", "SIT1")
GENES = (*ONLY_T, "CD3D", "CD3G")
AGAINST = Against(("T",), ONLY_T, (("CD3D", "CD3G"),))
# Mean molecules at 2,500 a cell, of the order of public samples: T cells; NK cells; adaptive NK cells; CD56+ T cells.
T = [0.4, 0.2, 0.25, 0.7, 0.15, 0.4, 0.35, 0.6, 0.2, 0.28, 2.4, 0.8]
NK = [0.04, 0.01, 0.05, 0.03, 0.01, 0.02, 0.02, 0.03, 0.01, 0.01, 0.15, 0.08]
ADAPTIVE = [*NK[:10], 1.5, 0.8]
BOTH = [0.8 * x for x in T]


def called(means: dict[str, tuple[list[float], int]], seed: int = 0) -> dict[str, float]:
    """Share of each kind still called NK; all but T are NK cells before."""
    random = np.random.default_rng(seed)
    kind = np.repeat(list(means), [n for _, n in means.values()])
    counts = random.poisson(np.array([means[k][0] for k in kind])).astype(float)
    certain = np.where((kind == "T")[:, None], [0.01, 0.98, 0.01], [0.98, 0.01, 0.01])
    fit = Lineages(("NK", "T", "none"), certain, np.full(3, 1 / 3), np.ones(1), np.ones(1), (), True)
    found = contradict(counts, np.full(len(kind), 2500.0), GENES, fit=fit, nk=["NK"], against=AGAINST)
    assert np.allclose(found.probability.sum(axis=1), 1.0)
    nk = found.of(["NK"]) >= 0.5
    return {k: float(nk[kind == k].mean()) for k in means}


def test_t_cells_with_the_genes_of_nk_cells_are_t_cells_and_adaptive_nk_cells_stay():
    found = called({"NK": (NK, 400), "adaptive": (ADAPTIVE, 100), "both": (BOTH, 60), "T": (T, 200)})
    assert found["NK"] >= 0.995 and found["adaptive"] >= 0.93
    assert found["both"] <= 0.35  # a tenth shows none of these genes, a quarter one: too little for so many NK cells
    assert found["T"] == 0


@pytest.mark.parametrize("n", [0, 5])
def test_a_pure_product_stays_what_it_is(n):
    """Hardly any T cell to learn from: neither pure NK cells nor many adaptive ones become T cells."""
    assert called({"NK": (NK, 800), "T": (T, n)} if n else {"NK": (NK, 800)})["NK"] >= 0.995
    assert called({"NK": (NK, 200), "adaptive": (ADAPTIVE, 600)})["adaptive"] >= 0.9


def test_only_t_cells_with_the_genes_of_nk_cells():
    found = called({"both": (BOTH, 300), "T": (T, 200)})
    assert found["both"] <= 0.2


def test_without_the_genes_nothing_changes():
    fit = Lineages(("NK", "T", "none"), np.eye(3), np.full(3, 1 / 3), np.ones(1), np.ones(1), (), True)
    assert contradict(np.ones((3, 1)), np.full(3, 10.0), ("CD3D",), fit=fit, nk=["NK"], against=AGAINST) is fit


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("against_nk: {lineages: [TX], genes: [CD5]}", "TX"),
        ("against_nk: {lineages: T, genes: [CD5]}", "keys lineages and genes"),
        ("against_nk: {lineages: [T], genes: [CD5], together: [CD3D]}", "a list of lists of genes"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path, entry, said):
    path = tmp_path / "table.yaml"
    lineages = "lineages: {NK: {kind: nk, genes: [NKG7]}, T: {kind: lymphocyte, genes: [CD5]}}\n"
    path.write_text(lineages + entry)
    with pytest.raises(UserError, match=said):
        load_lineages(path)
    path.write_text(lineages)
    assert load_lineages(path).against is None
