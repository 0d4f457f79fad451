"""Pseudobulk expression and gene-set scores: planted changes found, designs right, refusals told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.dynamics.contrasts import Contrast, contrasts
from cimlnk.dynamics.expression.differential import contrast_vector, expression_tests, joint_design, size_factors
from cimlnk.dynamics.expression.signatures import GeneSet, read_gene_sets, scores
from cimlnk.dynamics.results import with_fdr
from cimlnk.dynamics.tables import TESTS


def cohort(n: int = 4, genes: int = 120, arms: tuple[str, ...] = ("CIML", "IL2"), seed: int = 0):
    """Genes x samples: patients differ, gene 0 rises 4-fold on D7 in CIML, genes 1 falls 4-fold in both arms."""
    rng = np.random.default_rng(seed)
    samples = pd.DataFrame(
        [
            {"sample": f"{a}{i}{t}", "patient": f"{a}{i}", "day": d, "timepoint": t, "arm": a}
            for a in arms
            for i in range(n)
            for t, d in (("pre", -7), ("D7", 7), ("D28", 28))
        ]
    )
    level = (
        np.exp(rng.normal(4.5, 0.7, (genes, 1)))
        * np.exp(rng.normal(0, 0.4, (genes, samples["patient"].nunique())))[:, pd.factorize(samples["patient"])[0]]
    )
    day7 = (samples["timepoint"] == "D7").to_numpy()
    level[0] *= np.where(day7 & (samples["arm"] == "CIML").to_numpy(), 4.0, 1.0)
    level[1] *= np.where(day7, 0.25, 1.0)
    depth = rng.uniform(0.5, 2.0, len(samples))
    mean = level * depth
    counts = rng.negative_binomial(20, 20 / (20 + mean))
    names = [f"g{i}" for i in range(genes)]
    return pd.DataFrame(counts, index=names, columns=samples["sample"]), samples


@pytest.mark.parametrize("method", ["pydeseq2", "quasi"])
def test_planted_genes_are_found_with_their_size_in_their_arm(method):
    counts, samples = cohort()
    table = expression_tests(counts, samples, "dim", baselines=["pre"], reference_arm="IL2", method=method)
    TESTS.check(with_fdr([table]))
    got = table.set_index(["contrast", "feature"])
    up = got.loc[("CIML: D7 vs pre", "g0")]
    assert abs(up["effect"] - 2) < 3 * up["se"] and up["p"] < 1e-4  # three standard errors: missed once in 370
    both = got.loc[("CIML vs IL2: D7 vs pre", "g0")]
    assert abs(both["effect"] - 2) < 3 * both["se"] and both["p"] < 1e-3
    for contrast in ("CIML: D7 vs pre", "IL2: D7 vs pre"):
        assert got.loc[(contrast, "g1"), "effect"] == pytest.approx(-2, abs=0.6)
    assert got.loc[("CIML vs IL2: D7 vs pre", "g1"), "p"] > 0.01
    rest = table[~table["feature"].isin(["g0", "g1"])]
    # 118 genes x 5 contrasts without an effect; the genes share samples, so the rate scatters by about 1.5 %
    assert 0.01 < (rest["p"] < 0.05).mean() < 0.1


def test_one_model_gives_every_contrast_as_a_difference_of_coefficients():
    _, samples = cohort()
    todo = contrasts(samples, ["pre", "D7"], "IL2")
    design = joint_design(samples, todo)
    assert np.linalg.matrix_rank(design.matrix.to_numpy()) == design.matrix.shape[1] == 8 + 2 * 2
    vector = contrast_vector(design.matrix, Contrast("CIML", "D28", "D7", "IL2"))
    named = dict(zip(design.matrix.columns, vector, strict=True))
    assert {k: v for k, v in named.items() if v} == {
        "time[CIML|D28]": 1, "time[CIML|D7]": -1, "time[IL2|D28]": -1, "time[IL2|D7]": 1,
    }  # fmt: skip


def test_too_few_pairs_are_told_in_a_row():
    counts, samples = cohort(n=2, arms=("CIML",))
    table = expression_tests(counts, samples, "dim", baselines=["pre"])
    assert table["reason"].tolist() == ["2 patients have both time points, 3 are needed"] * 2
    assert table["feature"].isna().all()


def test_size_factors_are_the_depths():
    rng = np.random.default_rng(1)
    depth = np.array([0.5, 1.0, 2.0])
    factors = size_factors(rng.poisson(200 * depth, (400, 3)).astype(float))
    assert factors / factors[1] == pytest.approx(depth, rel=0.02)


def test_a_running_programme_scores_high_and_one_without_genes_is_left_out():
    counts, samples = cohort(arms=("CIML",))
    day7 = (samples["timepoint"] == "D7").to_numpy()
    counts.iloc[10:20, day7] *= 4
    counts.iloc[20:30, day7] //= 4
    sets = [
        GeneSet("runs", tuple(f"g{i}" for i in range(10, 20)), tuple(f"g{i}" for i in range(20, 30))),
        GeneSet("rests", tuple(f"g{i}" for i in range(40, 60)), ()),
        GeneSet("absent", ("XYZ1", "XYZ2"), ()),
    ]
    table, measured = scores(counts, sets)
    assert measured == {"runs": 20, "rests": 20, "absent": 0} and list(table.index) == ["runs", "rests"]
    assert table.loc["runs", day7].min() > table.loc["runs", ~day7].max() + 1
    assert abs(table.loc["rests", day7].mean() - table.loc["rests", ~day7].mean()) < 0.5


def test_gene_set_files_are_read_and_faults_told(tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text("programmes:\n  a: {up: [X, Y], down: [Z], source: here}\n  b: {up: [X]}\n")
    assert read_gene_sets([good]) == [GeneSet("a", ("X", "Y"), ("Z",)), GeneSet("b", ("X",), ())]
    with pytest.raises(UserError, match="name not used"):
        read_gene_sets([good, good])
    bad = tmp_path / "bad.yaml"
    bad.write_text("programmes:\n  a: X\n")
    with pytest.raises(UserError, match="programmes.a"):
        read_gene_sets([bad])
    bad.write_text("other: 1\n")
    with pytest.raises(UserError, match="no `programmes`"):
        read_gene_sets([bad])
    with pytest.raises(UserError, match="no such file"):
        read_gene_sets([tmp_path / "none.yaml"])
