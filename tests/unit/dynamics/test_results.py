"""Every row of TESTS says by which method, in which family, and whether it is the one to read."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cimlnk.dynamics.results import blank_rows, from_tested, wald, with_fdr
from cimlnk.dynamics.tables import METHODS, TESTS
from cimlnk.stats.exact import relabel, sign_flip
from cimlnk.stats.signed_rank import signed_rank


def test_a_method_off_the_list_is_refused():
    with pytest.raises(ValueError, match="not on the closed list"):
        blank_rows("abundance", "log2", ["a"], contrast="x", method="t test")


def test_a_family_is_named_and_is_the_one_that_fdr_was_taken_over():
    p = {"a": [0.01, 0.04, 0.5], "b": [0.02, 0.03, 0.9]}
    tables = []
    for contrast, values in p.items():
        table = blank_rows("abundance", "log2", list("xyz"), contrast=contrast, method="linear_mixed", modality="cytof")
        tables.append(table.assign(p=values))
    apart, together = with_fdr(tables), with_fdr(tables, ())
    for contrast, values in p.items():
        rows = apart[apart["contrast"] == contrast]
        assert rows["fdr"].tolist() == pytest.approx(stats.false_discovery_control(values))
        assert set(rows["fdr_family"]) == {f"cytof, abundance, linear_mixed, {contrast}"}
    assert together["fdr"].tolist() == pytest.approx(stats.false_discovery_control(sum(p.values(), [])))
    assert together["fdr_family"].nunique() == 1 and with_fdr([]).equals(TESTS.empty())


def test_exact_tests_are_never_the_row_to_read_where_a_model_is():
    diff = np.array([[1.0, 2.0, 3.0, 2.5, 1.5, 0.5]])
    rows = {
        m: from_tested("state", "u", ["a"], contrast="x", method=m, found=sign_flip(diff))["primary"].item()
        for m in METHODS
    }
    assert {m for m, primary in rows.items() if not primary} == {"sign_flip", "signed_rank", "relabelling", "none"}


def test_wald_rows_are_those_of_the_t_distribution():
    table = blank_rows("abundance", "log2", ["a"], contrast="x", method="linear_mixed")
    wald(table, np.array([1.2]), np.array([0.4]), df=7)
    low, high = stats.t.interval(0.95, 7, 1.2, 0.4)
    assert table[["effect_low", "effect_high"]].to_numpy().ravel() == pytest.approx([low, high])
    assert table["p"].item() == pytest.approx(2 * stats.t.sf(3, 7))


@pytest.mark.parametrize(
    ("differences", "floor"),
    [
        ([0.0, 0.0, 0.0, 1.0, 2.0, 3.0], 0.25),  # three signs that matter: 2 of 8 patterns
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2 / 64),
        ([1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 2 / 64),  # ties among differences change nothing
        ([0.0, 0.0, 0.0], 1.0),
    ],
)
@pytest.mark.parametrize("test", [signed_rank, sign_flip])
def test_the_floor_is_the_least_p_of_all_signs_of_these_very_differences(test, differences, floor):
    d = np.array(differences)
    signs = 1 - 2 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
    found = test(signs * d)
    assert found.p_floor == pytest.approx(np.full(len(signs), floor))
    assert found.p.min() == pytest.approx(floor)


def test_the_floor_of_a_relabelling_counts_ties():
    values = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    every = [(a, b, c) for a in range(6) for b in range(a) for c in range(b)]
    p = []
    for chosen in every:
        mask = np.isin(np.arange(6), chosen)
        found = relabel(values[mask][None], values[~mask][None])
        p.append(found.p.item())
        assert found.p_floor.item() == pytest.approx(0.4)  # both zeros in one arm: 8 of 20 dealings
    assert min(p) == pytest.approx(0.4)
