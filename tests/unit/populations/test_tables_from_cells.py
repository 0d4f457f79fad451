"""Reading columns, thresholds, state and pseudobulk, against numbers counted by hand."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from cimlnk.cohort.tables import SAMPLES
from cimlnk.common.tables import read_table, write_table
from cimlnk.populations.load import columns, common_features, gather, measured_features
from cimlnk.populations.name import profile
from cimlnk.populations.pseudobulk import read_pseudobulk, write_pseudobulk
from cimlnk.populations.state import summarise, write_state
from cimlnk.populations.tables import POPULATIONS, STATE, THRESHOLDS


def h5ad(path, sample, matrix, genes, counts=None):
    obs = pd.DataFrame(index=[f"{sample}:{i}" for i in range(matrix.shape[0])])
    data = ad.AnnData(matrix, obs=obs, var=pd.DataFrame(index=genes))
    if counts is not None:
        data.layers["counts"] = counts
    data.write_h5ad(path)
    return path


@pytest.fixture
def two_samples(tmp_path):
    """Sample a is dense, b is sparse and has its genes in another order, c is empty (left out)."""
    a = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    b = sparse.csr_matrix(np.array([[7, 0, 9]], dtype=np.float32))
    none = np.zeros((0, 3), dtype=np.float32)
    return [
        h5ad(tmp_path / "a.h5ad", "a", a, ["x", "y", "z"], sparse.csr_matrix(a)),
        h5ad(tmp_path / "b.h5ad", "b", b, ["z", "y", "w"], b),
        h5ad(tmp_path / "c.h5ad", "c", none, ["p", "q", "r"]),
    ]


def test_columns_follow_names_not_positions(two_samples):
    assert columns(two_samples[0], ["z", "x"]).tolist() == [[3, 1], [6, 4]]
    assert columns(two_samples[1], ["y", "z"]).tolist() == [[0, 7]]
    with pytest.raises(KeyError, match="nothing"):
        columns(two_samples[0], ["nothing"])


def test_cells_of_a_file_without_a_marker_are_unknown_in_it_and_profiles_are_of_the_others(two_samples):
    assert measured_features(two_samples) == ["x", "y", "z", "w"]
    found = gather(two_samples, ["x", "y", "w"], ["b:0", "a:0", "a:1"])
    np.testing.assert_array_equal(found, [[np.nan, 0, 9], [1, 2, np.nan], [4, 5, np.nan]])
    cuts = pd.DataFrame({"feature": ["x", "y", "w"], "batch": "1", "threshold": [2.0, 1, 1], "low": 1.0, "high": 2.0})
    table = profile(
        found, ["x", "y", "w"], np.zeros(3, int), thresholds=cuts, batch=np.array(["1"] * 3), level="cluster"
    )
    assert table["median"].tolist() == [2.5, 2, 9] and table["fraction_positive"].tolist() == [0.5, 2 / 3, 1]


def test_common_features_ignore_samples_without_cells(two_samples):
    assert common_features(two_samples) == ["y", "z"]


def test_gather_puts_rows_in_the_order_of_the_cells(two_samples):
    values = gather(two_samples, ["y", "z"], ["b:0", "a:1", "a:0"])
    assert values.tolist() == [[0, 7], [5, 6], [2, 3]]


@pytest.mark.parametrize("cells", [["a:0", "a:1"], ["a:0", "a:1", "b:0", "d:0"]])
def test_gather_refuses_cells_that_do_not_fit_the_files(two_samples, cells):
    with pytest.raises(ValueError, match="cells"):
        gather(two_samples, ["y"], cells)


def populations(tmp_path):
    table = pd.DataFrame(
        {"cell": ["a:0", "a:1", "b:0"], "sample": ["a", "a", "b"], "cluster": 0, "population": ["P", "Q", "Q"]}
    ).assign(confidence=1.0)
    write_table(table, tmp_path / "p.parquet", POPULATIONS)
    return tmp_path / "p.parquet"


def test_state_has_a_row_per_population_and_one_for_all(two_samples, tmp_path):
    rows = [("y", "d1", 3.0), ("y", "d2", -1.0), ("z", "d1", 0.0), ("z", "d2", np.nan)]
    cuts = pd.DataFrame(rows, columns=["feature", "batch", "threshold"])
    cuts = cuts.assign(low=cuts["threshold"], high=cuts["threshold"], method="reference", reason=None)
    write_table(cuts, tmp_path / "t.parquet", THRESHOLDS)
    sheet = pd.DataFrame(
        {c: ["x", "x"] for c in SAMPLES.columns} | {"sample": ["a", "b"], "batch": ["d1", "d2"], "day": 0}
    )
    write_table(sheet, tmp_path / "sheet.parquet", SAMPLES)
    write_state(
        sample_files=two_samples, populations=str(populations(tmp_path)), thresholds=str(tmp_path / "t.parquet"),
        sheet=str(tmp_path / "sheet.parquet"), features=None, state=str(tmp_path / "s.parquet"), provenance={},
    )  # fmt: skip
    table = read_table(tmp_path / "s.parquet", STATE).set_index(["sample", "population", "feature"])
    assert set(table.index.get_level_values("sample")) == {"a", "b"}
    assert table.loc[("a", "NK", "y"), ["median", "mean", "fraction_positive"]].tolist() == [3.5, 3.5, 0.5]
    assert table.loc[("a", "P", "y"), "fraction_positive"] == 0.0
    assert table.loc[("b", "Q", "z"), "median"] == 7.0
    assert table.loc[("b", "Q", "y"), "fraction_positive"] == 1.0  # the threshold of its own batch
    assert np.isnan(table.loc[("b", "Q", "z"), "fraction_positive"])  # none in its batch: no share


def test_summary_of_no_cells_is_empty_with_the_right_columns():
    assert list(summarise(np.zeros((0, 1)), ["x"], np.array([]), cut=np.array([0.0]), sample="s").columns) == list(
        STATE.columns
    )


def test_pseudobulk_sums_counts_and_reads_back(two_samples, tmp_path):
    out = tmp_path / "bulk.h5ad"
    write_pseudobulk(
        sample_files=two_samples, populations=str(populations(tmp_path)), output=str(out), provenance={"rule": "r"}
    )
    counts, rows = read_pseudobulk(out)
    assert counts.loc["z", "a|NK"] == 9 and counts.loc["z", "a|P"] == 3 and counts.loc["z", "b|Q"] == 7
    assert rows.loc["a|NK", "n_cells"] == 2 and list(counts.index) == ["y", "z"]
