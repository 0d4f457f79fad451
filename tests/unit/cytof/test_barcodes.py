"""Debarcoding against planted codes: every event's sample, and whether it is a doublet, is known."""

from __future__ import annotations

import itertools

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError, UserErrors
from cimlnk.common.tables import read_table
from cimlnk.cytof.barcodes import debarcode, debarcode_adata, make_key, nearest_code, read_key
from cimlnk.cytof.barcodes.files import ASSIGNMENTS, YIELDS, debarcode_file, split_file
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs

PD = (102, 104, 105, 106, 108, 110)
SIX_CHOOSE_THREE = np.array([[int(i in c) for i in range(6)] for c in itertools.combinations(range(6), 3)])
SETTINGS = {"separation_cutoff": 0.0, "expected_doublets": 0.0075, "mahalanobis_cutoff": 30.0, "cofactor": 10.0}


def pool(code, n=12_000, doublets=0.2, debris=0.05, spread=(0.3, 0.5, 0.02), seed=0):
    """Counts of a pool and the truth: the code (−1 for debris, −2 for doublets of two codes).

    `spread`: log-normal σ of a cell's staining per metal and of its size (common to all metals), and what metals that
    are not in the code read (as a share of the label, themselves log-normal with σ 0.8). Metals differ in brightness
    by a factor of two, codes in abundance by three. At the default the separations of single cells and doublets
    overlap as they do in real pools.
    """
    r = np.random.default_rng(seed)
    k, b = code.shape
    metal, size, other = spread
    brightness = 500 * np.linspace(1.4, 0.7, b)
    weight = np.linspace(1, 3, k)

    def cells(m):
        sample = r.choice(k, m, p=weight / weight.sum())
        stain = brightness * (code[sample] + other * r.lognormal(0, 0.8, (m, b))) * r.lognormal(0, metal, (m, b))
        return sample, stain * r.lognormal(0, size, (m, 1))

    sample, mean = cells(n)
    partner, more = cells(n)
    kind = r.random(n)
    double, dirt = kind < doublets, kind > 1 - debris
    mean[double] += more[double]
    mean[dirt] = r.gamma(0.5, 10, (dirt.sum(), b))
    truth = np.where(double & (sample != partner), -2, np.where(dirt, -1, sample))
    return r.poisson(mean).astype(np.float32), truth


def quality(found, truth):
    assigned, single = found.sample >= 0, truth >= 0
    got = {
        "precision": (found.sample == truth)[assigned].mean(),
        "yield": (found.sample == truth)[single].mean(),
        "doublets": assigned[truth == -2].sum() / max((truth == -2).sum(), 1),
        "debris": assigned[truth == -1].sum() / max((truth == -1).sum(), 1),
    }
    print(f"{found.key.scheme}, {len(found.key.samples)} samples:", {k: round(float(v), 4) for k, v in got.items()})
    return got


@pytest.mark.parametrize("seed", range(3))
def test_doublet_filtering_scheme_recovers_the_samples(seed):
    counts, truth = pool(SIX_CHOOSE_THREE, seed=seed)
    got = quality(debarcode(counts, make_key([f"s{i}" for i in range(20)], PD, SIX_CHOOSE_THREE)), truth)
    assert got["precision"] >= 0.99 and got["yield"] >= 0.95, got  # the bounds
    # The estimate tolerates 0.75 % doublets among 75 % singles, which is 3 % of the 19 % true doublets.
    assert got["doublets"] <= 0.04 and got["debris"] <= 0.05, got


@pytest.mark.parametrize(("n", "spread"), [(6, (0.3, 0.5, 0.02)), (30, (0.25, 0.4, 0.015))])
def test_single_positive_scheme_recovers_the_samples(n, spread):
    code = np.eye(n, dtype=int)
    counts, truth = pool(code, n=20_000, spread=spread)
    found = debarcode(counts, make_key([f"s{i}" for i in range(n)], range(140, 140 + n), code))
    got = quality(found, truth)
    assert found.key.scheme == "single-positive"
    assert got["precision"] >= 0.99 and got["yield"] >= 0.95, got
    assert got["doublets"] <= 0.04, got


def test_codes_of_different_sizes():
    code = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 0, 1]])
    counts, truth = pool(code, doublets=0.0, spread=(0.2, 0.4, 0.01))
    found = debarcode(counts, make_key(list("abcd"), PD[:4], code))
    assert found.key.scheme == "general"
    got = quality(found, truth)
    assert got["precision"] >= 0.99 and got["yield"] >= 0.95, got


def test_a_combination_outside_the_key_is_not_assigned():
    counts, truth = pool(SIX_CHOOSE_THREE, doublets=0.0, debris=0.0)
    found = debarcode(counts, make_key([f"s{i}" for i in range(19)], PD, SIX_CHOOSE_THREE[:19]))
    assert (found.sample[truth == 19] >= 0).mean() < 0.001
    assert (found.nearest[truth == 19] == -1).mean() > 0.99


def test_an_empty_well_gets_next_to_no_events():
    code = SIX_CHOOSE_THREE
    counts, truth = pool(code)
    counts, truth = counts[truth != 7], truth[truth != 7]
    found = debarcode(counts, make_key([f"s{i}" for i in range(20)], PD, code))
    assert found.counts[7] < 0.08 * np.median(found.counts)


def test_more_tolerance_lowers_the_cutoffs_and_a_fixed_cutoff_is_used_as_given():
    counts, _ = pool(SIX_CHOOSE_THREE)
    key = make_key([f"s{i}" for i in range(20)], PD, SIX_CHOOSE_THREE)
    strict, loose = debarcode(counts, key, doublets=0.001), debarcode(counts, key, doublets=0.05)
    assert (strict.cutoffs >= loose.cutoffs).all() and strict.cutoffs.mean() > loose.cutoffs.mean() + 0.02
    assert (strict.expected_doublets <= 0.001).all()
    fixed = debarcode(counts, key, cutoff=0.3, mahalanobis=np.inf)
    assert (fixed.cutoffs == 0.3).all()
    assert np.array_equal(fixed.sample >= 0, fixed.separation > 0.3)


def test_expected_doublets_are_close_to_the_planted_ones():
    counts, truth = pool(SIX_CHOOSE_THREE, n=30_000, debris=0.0)
    key = make_key([f"s{i}" for i in range(20)], PD, SIX_CHOOSE_THREE)
    found = debarcode(counts, key, mahalanobis=np.inf)
    passed = found.sample >= 0
    # The estimate has a standard error on top, about a tenth of it; the planted count is of 150 events.
    assert (truth[passed] == -2).mean() == pytest.approx(
        np.average(found.expected_doublets, weights=found.counts), abs=0.005
    )


def test_outliers_of_a_code_are_rejected_by_their_distance():
    counts, _ = pool(SIX_CHOOSE_THREE, doublets=0, debris=0)
    key = make_key([f"s{i}" for i in range(20)], PD, SIX_CHOOSE_THREE)
    odd = np.zeros((5, 6), np.float32)
    odd[:, :3] = [8000, 30, 8000]  # right metals, wrong proportions
    found = debarcode(np.vstack([counts, odd]), key, cutoff=0.1)
    assert (found.distance[-5:] > 30).all() and (found.sample[-5:] == -1).all()
    assert (found.sample[:-5] >= 0).mean() > 0.95


def test_negative_counts_and_no_events():
    counts, truth = pool(SIX_CHOOSE_THREE)
    dithered = counts - np.random.default_rng(1).random(counts.shape)
    key = make_key([f"s{i}" for i in range(20)], PD, SIX_CHOOSE_THREE)
    assert quality(debarcode(dithered, key), truth)["precision"] >= 0.99
    none = debarcode(np.empty((0, 6)), key)
    assert none.share == 0 and none.counts.tolist() == [0] * 20


def test_the_same_seed_gives_the_same_result_and_order_of_events_does_not_matter_to_scales():
    counts, _ = pool(SIX_CHOOSE_THREE, n=5_000)
    key = make_key([f"s{i}" for i in range(20)], PD, SIX_CHOOSE_THREE)
    one, two = debarcode(counts, key, seed=3), debarcode(counts, key, seed=3)
    assert np.array_equal(one.sample, two.sample) and np.array_equal(one.cutoffs, two.cutoffs)
    order = np.random.default_rng(0).permutation(len(counts))
    np.testing.assert_allclose(debarcode(counts[order], key).separation, one.separation[order])


def test_nearest_code_by_hand():
    key = make_key(["a", "b"], [1, 2, 3], [[1, 1, 0], [0, 1, 1]])
    code, gap = nearest_code(np.array([[0.9, 0.8, 0.1], [0.2, 1.0, 0.7], [1.0, 0.1, 0.9]]), key)
    assert code.tolist() == [0, 1, -1]
    np.testing.assert_allclose(gap, [0.7, 0.5, 0.8])


def test_key_of_a_classic_mac_and_of_excel(tmp_path):
    lines = ["Mass ->,102,104,105", "A1,1,1,0", "B,0,1,1"]
    for name, text in {
        "mac.csv": "\r".join(lines).encode(),
        "excel.csv": b"\xef\xbb\xbf" + "\r\n".join(lines).replace(",", ";").encode(),
        "tab.tsv": ("\n".join(lines).replace(",", "\t") + "\n\n").encode(),
        "titles.csv": "\n".join(["proben-größe,Pd102,104Pd_BC2,BC 105", *lines[1:]]).encode("latin-1"),
    }.items():
        (tmp_path / name).write_bytes(text)
        key = read_key(tmp_path / name)
        assert key.samples == ("A1", "B") and key.masses == (102, 104, 105), name
        assert key.positives == 2 and key.scheme == "doublet-filtering"
        assert key.code.tolist() == [[True, True, False], [False, True, True]]


def test_a_key_for_several_pools(tmp_path):
    sheet = tmp_path / "key.csv"
    sheet.write_text("sample,pool,102,104\na,one,1,0\nb,one,0,1\nc,two,1,0\n d ,two,0,1\n")
    assert read_key(sheet, "two").samples == ("c", "d")
    with pytest.raises(UserError, match=r"no row of pool tow.*did you mean|no row of pool tow"):
        read_key(sheet, "tow")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 rows"),
        ("s,102,104\n", "1 rows"),
        ("s,102,green\na,1,0\n", r"row 1 \(header\): found 'green'"),
        ("s,102,102\na,1,0\nb,0,1\n", "found 102, expected every mass once"),
        ("s,102,104\na,1,2\nb,0,1\n", "row 2, column 104: found '2'"),
        ("s,102,104\na,1\nb,0,1\n", "row 2: found 2 cells, expected 3"),
        ("s,102,104\na,1,0\na,0,1\n", "sample a: found 2 rows"),
        ("s,102,104\na,1,0\nb,1,0\nc,0,1\n", "sample b: found the metals 102 of sample a"),
        ("s,102,104\na,1,0\nb,0,0\nc,0,1\n", "sample b: found no metal"),
        ("s,102,104\na,1,0\n", "mass 104: found no sample that carries it"),
        ("s,102,104\n../x,1,0\nb,0,1\n", r"found '\.\./x', expected a name"),
    ],
)
def test_faulty_keys_are_user_errors(tmp_path, text, message):
    sheet = tmp_path / "key.csv"
    sheet.write_text(text)
    with pytest.raises(UserError, match=message) as told:
        read_key(sheet)
    assert str(sheet) in str(told.value)


def test_all_mistakes_of_a_key_are_told_together(tmp_path):
    sheet = tmp_path / "key.csv"
    sheet.write_text("s,102,104,105\na,1,0,0\nb,1,0,0\nb,0,1,0\n")
    with pytest.raises(UserErrors) as told:
        read_key(sheet)
    assert len(told.value.errors) == 3


def test_a_key_that_is_not_there():
    with pytest.raises(UserError, match="No such file"):
        read_key("nowhere/key.csv")


@pytest.fixture
def pooled(tmp_path):
    counts, truth = pool(SIX_CHOOSE_THREE, n=8_000)
    channels = ["Time", *[f"Pd{m}Di" for m in PD], "Yb176Di"]
    events = np.column_stack([np.arange(len(counts)), counts, np.full(len(counts), 7)]).astype(np.float32)
    write_fcs(tmp_path / "pool.fcs", events, channels, markers=["", *[f"BC{m}" for m in PD], "CD56"])
    rows = [",".join([f"s{i}", *map(str, row)]) for i, row in enumerate(SIX_CHOOSE_THREE)]
    (tmp_path / "key.csv").write_text("\n".join(["sample," + ",".join(map(str, PD)), *rows]) + "\n")
    return tmp_path, truth


def test_files_from_pool_to_samples(pooled):
    place, truth = pooled
    files = [place / "a.parquet", place / "y.parquet", place / "f.svg"]
    debarcode_file(
        place / "pool.fcs",
        place / "key.csv",
        **dict(zip(("assignments", "yields", "figure"), files, strict=True)),
        settings=SETTINGS,
        samples=["s3", "s4"],
    )
    table, yields = read_table(files[0], ASSIGNMENTS), read_table(files[1], YIELDS)
    assert len(table) == len(truth) and yields["sample"].tolist() == [f"s{i}" for i in range(20)]
    assert (yields["n_nearest"] >= yields["n_above_cutoff"]).all()
    assert (yields["n_above_cutoff"] >= yields["n_assigned"]).all()
    assert yields["n_assigned"].sum() == table["sample"].notna().sum()
    assert yields.at[0, "code"] == "102 104 105"
    split_file(place / "pool.fcs", files[0], "s3", separate=place / "s3.fcs")
    events, header = read_events(place / "s3.fcs"), read_header(place / "s3.fcs")
    rows = events[:, 0].astype(int)  # Time is the index in the pool
    assert len(events) == yields.set_index("sample").at["s3", "n_assigned"]
    assert (truth[rows] == 3).mean() >= 0.98 and (np.diff(rows) > 0).all()
    assert header.markers[-1] == "CD56"
    assert files[2].stat().st_size > 10_000


def test_a_sample_that_is_not_in_the_key_is_named(pooled):
    place, _ = pooled
    files = [place / "a.parquet", place / "y.parquet", place / "f.svg"]
    with pytest.raises(UserError, match=r"key\.csv.*no row of sample s33"):
        debarcode_file(
            place / "pool.fcs",
            place / "key.csv",
            **dict(zip(("assignments", "yields", "figure"), files, strict=True)),
            settings=SETTINGS,
            samples=["s33"],
        )


def test_a_barcode_mass_that_is_not_in_the_file_is_named(pooled):
    place, _ = pooled
    (place / "key.csv").write_text("s,102,113\na,1,0\nb,0,1\n")
    with pytest.raises(UserError, match="barcode mass 113: found no channel"):
        debarcode_file(
            place / "pool.fcs",
            place / "key.csv",
            **dict(zip(("assignments", "yields", "figure"), [place / n for n in "abc"], strict=True)),
            settings=SETTINGS,
        )


def test_a_sample_without_events_is_a_user_error(pooled):
    place, _ = pooled
    files = [place / "a.parquet", place / "y.parquet", place / "f.svg"]
    debarcode_file(
        place / "pool.fcs",
        place / "key.csv",
        **dict(zip(("assignments", "yields", "figure"), files, strict=True)),
        settings=SETTINGS,
    )
    with pytest.raises(UserError, match="sample other: found no event assigned"):
        split_file(place / "pool.fcs", files[0], "other", separate=place / "x.fcs")


def test_anndata_gets_names_and_record():
    counts, truth = pool(SIX_CHOOSE_THREE, n=6_000)
    adata = ad.AnnData(counts, var=pd.DataFrame(index=[f"Pd{m}Di" for m in PD]))
    debarcode_adata(adata, make_key([f"s{i}" for i in range(20)], PD, SIX_CHOOSE_THREE))
    right = adata.obs["barcode_sample"].to_numpy() == np.array([f"s{t}" for t in truth])
    assert right[truth >= 0].mean() >= 0.95
    assert adata.uns["debarcoding"]["scheme"] == "doublet-filtering"
    assert sum(adata.uns["debarcoding"]["yields"].values()) == adata.obs["barcode_sample"].notna().sum()


KEY = [["s", "102", "104", "105"], ["A", "1", "1", "0"], ["B", "1", "0", "1"]]
KEYS_SAVED = {
    "floats": [[c + ".0" if c in "01" else c for c in row] for row in KEY],
    "logicals": [[{"1": "TRUE", "0": "FALSE"}.get(c, c) for c in row] for row in KEY],
    "signs": [[{"1": "+", "0": "-"}.get(c, c) for c in row] for row in KEY],
    "empty for zero": [[c if c != "0" else "" for c in row] for row in KEY],
    "R's names": [["", "X102", "X104", "X105"], *KEY[1:]],
    "empty columns": [[*row, "", ""] for row in KEY],
    "empty rows": [*KEY, ["", "", "", ""]],
    "transposed": [list(column) for column in zip(*KEY, strict=True)],
    "a comment": [["# run 3"], *KEY],
}


@pytest.mark.parametrize("way", KEYS_SAVED)
def test_a_key_is_the_same_however_it_was_saved(tmp_path, way):
    path = tmp_path / "key.csv"
    path.write_text("\n".join(",".join(row) for row in KEYS_SAVED[way]))
    key = read_key(path)
    assert (key.samples, key.masses) == (("A", "B"), (102, 104, 105))
    assert key.code.tolist() == [[True, True, False], [True, False, True]]


def test_an_empty_cell_beside_zeros_is_told(tmp_path):
    (tmp_path / "key.csv").write_text("s,102,104,105\nA,1,1,\nB,1,0,1\n")
    with pytest.raises(UserError, match="row 2, column 105: found '', expected 0 or 1"):
        read_key(tmp_path / "key.csv")
