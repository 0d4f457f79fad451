"""Batch alignment against planted batch effects: the values without them are known for every cell."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_table
from cimlnk.cytof.alignment.design import check_design, estimable
from cimlnk.cytof.alignment.distance import sample_distances, summarise_distances
from cimlnk.cytof.alignment.files import DISTANCES, align_file, compare_files, fit_files, training_samples
from cimlnk.cytof.alignment.metaclusters import find_metaclusters
from cimlnk.cytof.alignment.model import fit_alignment, load_alignment
from cimlnk.cytof.h5ad import write_h5ad

MARKERS = ["CD56", "CD16", "CD57", "NKG2A", "CD25", "flat"]
# Three kinds of cells; batch effects hit bright and dim cells differently, which one map for all cannot undo.
CENTRES = np.array([[5.0, 1, 0.5, 4, 2, 3], [3.5, 5, 1, 2, 1, 3], [3, 5, 4, 0.5, 0.5, 3]])
SETTINGS = {
    "anchors": [],
    "anchor_identity": "patient",
    "keep": ["timepoint"],
    "metaclusters": 3,
    "minimum_cells": 50,
    "markers": [],
}


def effect(values, kind, batch):
    """Batch 0 is clean, batch 1 loses gain, batch 2 gains, with a shift of `flat` in the third kind of cells only."""
    if batch == 0:
        return values
    if batch == 1:
        return 0.85 * values - 0.1
    out = 1.1 * values + 0.15
    out[:, 5] += 0.6 * (kind == 2)
    return out


def cells(shares, batch, n=4_000, shift=0.0, seed=0):
    """(clean, measured, kind): `shift` is biology, it moves CD25."""
    r = np.random.default_rng(seed)
    kind = r.choice(3, n, p=shares)
    clean = CENTRES[kind] + r.normal(0, 0.35, (n, len(MARKERS)))
    clean[:, 4] += shift
    return clean, effect(clean.copy(), kind, batch), kind


def stack(samples):
    return np.vstack(samples), np.repeat(np.arange(len(samples)), [len(s) for s in samples])


@pytest.fixture(scope="module")
def anchored():
    anchors = [cells([0.3, 0.4, 0.3], b, seed=b) for b in range(3)]
    values, sample = stack([a[1] for a in anchors])
    model = fit_alignment(
        values, sample, ["a", "b", "c"], kept={"who": ["d1"] * 3}, markers=MARKERS, metaclusters=3, seed=1
    )
    return model, anchors


def test_anchors_meet_after_alignment(anchored):
    model, anchors = anchored
    before = sample_distances([a[1] for a in anchors])
    after = sample_distances([model.apply(a[1], b) for a, b in zip(anchors, "abc", strict=True)])
    print(f"anchors: largest distance {before.max():.3f} -> {after.max():.3f}")
    assert after.max() < 0.1 * before.max()
    assert model.own.all()


def test_other_samples_lose_the_batch_effect_and_keep_their_biology(anchored):
    model, _ = anchored
    # A sample of another composition and with a real shift of CD25 by 0.8, measured in every batch.
    clean, _, kind = cells([0.6, 0.3, 0.1], 0, shift=0.8, seed=9)
    aligned = [model.apply(effect(clean.copy(), kind, b), n) for b, n in enumerate("abc")]
    measured = [effect(clean.copy(), kind, b) for b in range(3)]
    before, after = sample_distances(measured), sample_distances(aligned)
    print(f"another sample: largest distance {before.max():.3f} -> {after.max():.3f}")
    # The issue asks for half; what is left comes from cells between kinds and the anchors' finite number.
    assert after.max() < 0.35 * before.max()
    healthy = cells([0.6, 0.3, 0.1], 0, seed=10)[0]
    for b, values in zip("abc", aligned, strict=True):
        shift = np.median(values[:, 4]) - np.median(model.apply(healthy, "a")[:, 4])
        # Biology beyond the anchors' range is moved by a constant: the shift keeps its size but for the batch's gain.
        assert shift == pytest.approx(0.8, abs=0.15), b


def test_maps_per_metacluster_undo_what_one_map_cannot(anchored):
    model, anchors = anchored
    values, sample = stack([a[1] for a in anchors])
    single = fit_alignment(values, sample, ["a", "b", "c"], kept={"who": ["d1"] * 3}, markers=MARKERS, metaclusters=1)
    clean, measured, kind = cells([0.1, 0.2, 0.7], 2, seed=11)  # a mix of cells the anchors do not have
    want = model.apply(clean, "a")
    third = kind == 2
    error = {n: np.abs(m.apply(measured, "c") - want)[third, 5].mean() for n, m in (("one", single), ("three", model))}
    assert error["three"] < 0.5 * error["one"], error


def test_maps_are_monotone_and_zeros_stay_zero(anchored):
    model, _ = anchored
    assert (np.diff(model.maps[:, :, 1], axis=-1) >= 0).all()
    line = np.repeat(np.linspace(-2, 9, 400)[:, None], len(MARKERS), axis=1)
    one = fit_alignment(*stack([line, line + 1]), ["a", "b"], kept={}, markers=MARKERS, metaclusters=1)
    assert (np.diff(one.apply(line, "a"), axis=0) >= 0).all()
    assert (model.apply(np.zeros((5, len(MARKERS))), "b") == 0).all()
    # beyond the first and last per cent the map is a shift by a constant
    far = one.apply(np.full((1, len(MARKERS)), 50.0), "a") - 50.0
    np.testing.assert_allclose(far, 0.5, atol=0.02)  # half way between a and b, which is a + 1


def test_without_anchors_time_is_kept_and_batch_removed():
    # Six patients, two time points; each patient's samples lie in different batches, times are balanced over batches.
    rows, samples = [], []
    for p in range(6):
        for t, shift in (("pre", 0.0), ("d7", 0.8)):
            batch = (p + (t == "d7")) % 2
            samples.append(cells([0.3, 0.4, 0.3], batch, shift=shift, n=1_500, seed=100 + 2 * p + batch)[1])
            rows.append((f"p{p}", t, str(batch)))
    values, sample = stack(samples)
    batch, time = [r[2] for r in rows], [r[1] for r in rows]
    model = fit_alignment(values, sample, batch, kept={"timepoint": time}, markers=MARKERS, metaclusters=3)
    aligned = [model.apply(s, b) for s, b in zip(samples, batch, strict=True)]

    def gap(data, labels, one, two, marker):
        medians = np.array([np.median(d[:, marker]) for d in data])
        labels = np.array(labels)
        return medians[labels == one].mean() - medians[labels == two].mean()

    assert gap(samples, batch, "1", "0", 0) < -0.4 and abs(gap(aligned, batch, "1", "0", 0)) < 0.03
    assert gap(aligned, time, "d7", "pre", 4) == pytest.approx(0.8 * 0.925, abs=0.1)  # 0.925: mean gain of 1 and 0.85


def test_what_the_design_cannot_tell_is_refused():
    values, sample = stack([cells([0.3, 0.4, 0.3], b, n=200)[1] for b in (0, 0, 1, 1)])
    with pytest.raises(UserError, match=r"differ in timepoint as well \(batch a: pre; batch b: d7\)"):
        fit_alignment(values, sample, list("aabb"), kept={"timepoint": ["pre", "pre", "d7", "d7"]}, markers=MARKERS)
    with pytest.raises(UserError, match="1 batch among the samples, expected at least two"):
        check_design(["a", "a"], {"timepoint": ["pre", "d7"]}, "the samples")
    # each covariate alone is fine, together they are not
    batch, kept = list("aabb"), {"time": ["1", "2", "1", "3"], "arm": ["x", "y", "y", "x"]}
    assert estimable(batch, {"arm": kept["arm"]})
    check_design(list("aabb"), {"time": ["1", "2", "1", "2"]}, "the samples")


def test_anchors_must_link_the_batches():
    check_design(list("abbc"), {"who": ["d1", "d1", "d2", "d2"]}, "the anchors")  # a–b by d1, b–c by d2
    with pytest.raises(UserError, match="differ in who"):
        check_design(list("abcd"), {"who": ["d1", "d1", "d2", "d2"]}, "the anchors")


def test_an_unknown_batch_is_named(anchored):
    with pytest.raises(UserError, match="'d', expected a batch with training samples"):
        anchored[0].apply(np.zeros((1, len(MARKERS))), "d")


def test_rare_metaclusters_fall_back_to_the_overall_map():
    rare = [cells([0.01, 0.495, 0.495], b, n=2_000, seed=b)[1] for b in range(2)]
    model = fit_alignment(*stack(rare), ["a", "b"], kept={"who": ["d", "d"]}, markers=MARKERS, metaclusters=3)
    assert model.own.sum() == 2
    lost = int(np.flatnonzero(~model.own)[0])
    assert np.array_equal(model.maps[:, lost], model.overall)


def test_metaclusters_find_the_kinds_of_cells():
    clean, _, kind = cells([0.3, 0.4, 0.3], 0)
    found = find_metaclusters(clean, 3, 0).assign(clean)
    table = pd.crosstab(kind, found).to_numpy()
    assert table.max(axis=1).sum() / len(kind) > 0.98
    assert find_metaclusters(clean, 1, 0).assign(clean).max() == 0
    same = find_metaclusters(np.ones((50, 3)), 4, 0)  # fewer distinct cells than clusters
    assert same.assign(np.ones((5, 3))).tolist() == [0] * 5


def test_fits_are_reproducible_to_the_byte(anchored, tmp_path):
    model, anchors = anchored
    values, sample = stack([a[1] for a in anchors])
    again = fit_alignment(
        values, sample, ["a", "b", "c"], kept={"who": ["d1"] * 3}, markers=MARKERS, metaclusters=3, seed=1
    )
    model.save(tmp_path / "a.npz")
    again.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    loaded = load_alignment(tmp_path / "a.npz")
    assert np.array_equal(loaded.apply(values[:100], "b"), model.apply(values[:100], "b"))


def test_distance_is_the_mean_shift():
    x = np.random.default_rng(0).normal(size=(5_000, 2))
    d = sample_distances([x, x + [1.0, 0.0], x[:500]])
    assert d[0, 1] == pytest.approx(0.5, abs=1e-6) and d[0, 2] < 0.1 and (d == d.T).all()
    got = summarise_distances(np.array([[0, 1, 4.0], [1, 0, 3], [4, 3, 0]]), ["a", "b", "b"], ["p", "p", "q"])
    assert got["same_across"] == 1 and got["different_within"] == 3 and got["different_across"] == 4
    assert got["ratio"] == pytest.approx(1 / 3) and got["told_apart"] == 1.0


@pytest.fixture
def cohort(tmp_path):
    rows = []
    for i, (name, batch, who, time) in enumerate(
        [
            ("a1", "one", "donor", "pre"),
            ("a2", "two", "donor", "pre"),
            ("s1", "one", "p1", "pre"),
            ("s2", "two", "p1", "d7"),
        ]
    ):
        values = cells([0.3, 0.4, 0.3], int(batch == "two"), n=800, seed=i)[1].astype(np.float32)
        obs = pd.DataFrame({"qc": np.ones(800)}, index=[f"{name}:{k}" for k in range(800)])
        var = pd.DataFrame({"role": "identity", "cluster": True}, index=MARKERS)
        write_h5ad(
            tmp_path / f"{name}.h5ad",
            values,
            np.sinh(values),
            obs=obs,
            var=var,
            record={"sample": name, "left_out": False},
        )
        rows.append((name, batch, who, time))
    empty = pd.DataFrame({"qc": np.empty(0)}, index=[])
    var = pd.DataFrame({"role": "identity", "cluster": True}, index=MARKERS)
    none = np.empty((0, len(MARKERS)), np.float32)
    write_h5ad(
        tmp_path / "e.h5ad",
        none,
        none,
        obs=empty,
        var=var,
        record={"sample": "e", "left_out": True, "reason": "no cells"},
    )
    rows.append(("e", "one", "p2", "pre"))
    samples = pd.DataFrame(rows, columns=["sample", "batch", "patient", "timepoint"]).set_index("sample", drop=False)
    return tmp_path, samples


def test_files_from_cells_to_aligned_cells_and_distances(cohort):
    place, samples = cohort
    settings = {**SETTINGS, "anchors": ["a1", "a2"]}
    files = {s: place / f"{s}.h5ad" for s in samples.index}
    other = pd.DataFrame([{"sample": "rna", "batch": "run", "patient": "p1", "timepoint": "pre"}], index=["rna"])
    fit_files(files, pd.concat([samples, other]), place / "m.npz", settings=settings)
    after = {s: place / "out" / f"{s}.h5ad" for s in samples.index}
    for s in samples.index:
        align_file(files[s], place / "m.npz", after[s], batch=samples.at[s, "batch"])
    raw, done = ad.read_h5ad(files["a2"]), ad.read_h5ad(after["a2"])
    assert np.array_equal(done.layers["unaligned"], raw.X) and not np.array_equal(done.X, raw.X)
    assert np.array_equal(done.layers["raw"], raw.layers["raw"]) and done.obs_names.equals(raw.obs_names)
    record = json.loads(done.uns["cimlnk"])
    assert record["alignment"]["markers"] == MARKERS and record["sample"] == "a2"
    assert ad.read_h5ad(after["e"]).n_obs == 0
    names = list(samples.index)
    places = [place / n for n in ("d.parquet", "s.json", "f.svg")]
    compare_files(
        {s: files[s] for s in names},
        {s: after[s] for s in names},
        samples,
        **dict(zip(("distances", "summary", "figure"), places, strict=True)),
        settings=settings,
    )
    table, summary = read_table(places[0], DISTANCES), json.loads(places[1].read_text())
    assert len(table) == 6 and set(table["kind"]) == {"anchor", "same batch", "other batch"}
    assert summary["anchor"]["after"] < 0.3 * summary["anchor"]["before"]
    assert summary["anchors_after"]["same_across"] == summary["anchor"]["after"]
    assert summary["samples"] == ["a1", "a2", "s1", "s2"]
    assert places[2].stat().st_size > 10_000


def test_configurations_that_cannot_be_are_told_before_anything_is_read(cohort):
    _, samples = cohort
    with pytest.raises(UserError, match="anchors: found 'a3', expected a sample of the sheet"):
        training_samples(samples, {**SETTINGS, "anchors": ["a1", "a3"]})
    with pytest.raises(UserError, match="keep: found 'time', expected a column.*did you mean 'timepoint'"):
        training_samples(samples, {**SETTINGS, "keep": ["time"]})
    with pytest.raises(UserError, match="1 batch among the anchors"):
        training_samples(samples, {**SETTINGS, "anchors": ["a1"]})
    aliased = samples.assign(timepoint=samples["batch"])
    with pytest.raises(UserError, match="differ in timepoint as well"):
        training_samples(aliased, SETTINGS)
    assert training_samples(samples, SETTINGS)[0] == list(samples.index)


def test_without_anchors_all_given_samples_are_used_and_no_others(cohort):
    place, samples = cohort
    balanced = samples.assign(timepoint=["pre", "pre", "d7", "d7", "pre"])
    other = pd.DataFrame([{"sample": "rna", "batch": "run", "patient": "p1", "timepoint": "x"}], index=["rna"])
    files = {s: place / f"{s}.h5ad" for s in samples.index}
    fit_files(files, pd.concat([balanced, other]), place / "m.npz", settings=SETTINGS)
    assert load_alignment(place / "m.npz").batches == ("one", "two")


def test_a_marker_that_samples_do_not_have_is_named(cohort):
    place, samples = cohort
    settings = {**SETTINGS, "anchors": ["a1", "a2"], "markers": ["CD57", "CD75"]}
    with pytest.raises(UserError, match="found 'CD75', expected a marker all samples have .did you mean 'CD57'"):
        fit_files({s: place / f"{s}.h5ad" for s in samples.index}, samples, place / "m.npz", settings=settings)
