"""Spillover against a planted matrix, and non-negative least squares against SciPy's."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls as scipy_nnls

from cimlnk.common.errors import UserError, UserErrors
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.metals import Metal, find_masses, parse_metal
from cimlnk.cytof.spillover.compensate import compensate, compensate_adata, nnls
from cimlnk.cytof.spillover.estimate import estimate_spillover
from cimlnk.cytof.spillover.files import compensate_file, make_matrix
from cimlnk.cytof.spillover.matrix import adapt_matrix, check_matrix, plausible, read_matrix, write_matrix

CHANNELS = ["Time", "La139Di", "Pr141Di", "Nd142Di", "Nd143Di", "Nd144Di", "Nd145Di", "Nd146Di", "Gd155Di", "Gd157Di"]
CHANNELS += ["Gd158Di", "Yb171Di", "Yb172Di", "Yb173Di", "Yb174Di", "Center"]
IONS = [i for i, c in enumerate(CHANNELS) if parse_metal(c)]
NAMES = [CHANNELS[i] for i in IONS]


def planted(seed=0):
    """A matrix with 0–5 % in every plausible place; Gd155 receives only (no antibody on it)."""
    r = np.random.default_rng(seed)
    m = np.eye(len(NAMES))
    for i, s in enumerate(NAMES):
        for j, t in enumerate(NAMES):
            if s != t and plausible(parse_metal(s), parse_metal(t)):
                m[i, j] = r.choice([0.0, 0.001, 0.01, 0.03, 0.05])
    m[NAMES.index("Gd155Di")] = np.eye(len(NAMES))[NAMES.index("Gd155Di")]
    return pd.DataFrame(m, index=NAMES, columns=NAMES)


def single_stains(matrix, per=600, level=700.0, doublets=0.02, background=0.3, seed=1):
    r = np.random.default_rng(seed)
    stained = [i for i, n in enumerate(NAMES) if n != "Gd155Di"]
    who = np.repeat(stained, per)
    true = np.zeros((len(who), len(NAMES)))
    true[np.arange(len(who)), who] = level * r.lognormal(0, 0.4, len(who))
    mixed = np.flatnonzero(r.random(len(who)) < doublets)
    true[mixed, r.choice(stained, len(mixed))] += level
    events = np.zeros((len(who), len(CHANNELS)))
    events[:, IONS] = r.poisson(true @ matrix.to_numpy() + background)
    return events, np.array(IONS)[who]


def cells(matrix, n=20_000, seed=2):
    """Independent markers, half of them bimodal; returns the measured and the spillover-free ion counts."""
    r = np.random.default_rng(seed)
    true = r.gamma(2, 100, (n, len(NAMES)))
    true[:, ::2] *= np.where(r.random((n, len(NAMES[::2]))) < 0.5, 1.0, 0.1)
    events = np.zeros((n, len(CHANNELS)), np.float32)
    events[:, IONS] = r.poisson(true @ matrix.to_numpy())
    return events, true


@pytest.mark.parametrize("seed", range(3))
def test_planted_matrix_is_recovered_within_a_fifth_of_a_per_cent(seed):
    truth = planted(seed)
    events, stain = single_stains(truth, seed=seed + 10)
    found = estimate_spillover(events, CHANNELS, stain)
    assert list(found.columns) == NAMES and "Gd155Di" not in found.index
    error = (found - truth.loc[found.index]).abs().to_numpy()
    print(f"largest error of an entry: {100 * error.max():.3f} percentage points")
    assert error.max() < 0.002  # the bound, 0.2 percentage points
    assert found.at["Pr141Di", "Yb171Di"] == 0.0  # implausible pairs stay exactly zero


def test_small_shares_are_found_where_a_median_of_ratios_reads_zero():
    truth = planted()
    truth.loc["Yb172Di", "Yb173Di"] = 0.001  # 0.35 counts of 350: most events read zero
    events, stain = single_stains(truth, level=350, per=2000, doublets=0, background=0)
    assert np.median(events[stain == CHANNELS.index("Yb172Di"), CHANNELS.index("Yb173Di")]) == 0
    found = estimate_spillover(events, CHANNELS, stain)
    # Poisson: 2,000 events × 350 × 0.1 % = 700 ± 26 counts, three standard deviations are 11 %
    assert found.at["Yb172Di", "Yb173Di"] == pytest.approx(0.001, rel=0.15)


def test_compensation_leaves_no_correlation_and_no_negative_count():
    truth = planted()
    stains, stain = single_stains(truth)
    events, true = cells(truth, n=60_000)
    before = np.corrcoef(events[:, IONS].T)
    after, notes = compensate(events, CHANNELS, estimate_spillover(stains, CHANNELS, stain))
    residual = np.corrcoef(after[:, IONS].T)
    outside = ~np.eye(len(NAMES), dtype=bool)
    largest = {n: float(np.abs(c[outside]).max()) for n, c in (("before", before), ("after", residual))}
    print(f"largest correlation between channels: {largest['before']:.3f} before, {largest['after']:.4f} after")
    assert np.abs(before[outside]).max() > 0.04
    assert np.abs(residual[outside]).max() < 0.02  # the bound; chance alone gives 0.011 (2.6 standard errors)
    assert (after >= 0).all()
    assert notes == ["no single stain, taken to send nothing: Gd155Di"]
    np.testing.assert_allclose(after[:, IONS].mean(axis=0), true.mean(axis=0), rtol=0.02)
    assert np.array_equal(after[:, [0, 15]], events[:, [0, 15]]), "Time and Gaussian parameters are no ion counts"


def test_nnls_agrees_with_scipy_also_where_the_solution_is_at_its_bounds():
    r = np.random.default_rng(0)
    m = planted(3).to_numpy()
    y = r.poisson(3, (300, len(m))).astype(float)  # small counts: a third of the plain solutions have negative values
    y[:5] = 0
    y[5:10] -= 1  # dithered zeros
    got = nnls(y, m)
    want = np.array([scipy_nnls(m.T, row)[0] for row in y])
    assert ((y @ np.linalg.inv(m)) < 0).any(axis=1).mean() > 0.3
    # the descent stops at 1e-8 of the largest count; contraction by the matrix bounds what is left to a few times that
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert (got >= 0).all() and (got[:5] == 0).all()


def test_nnls_does_not_depend_on_the_block():
    r = np.random.default_rng(0)
    m = planted(3).to_numpy()
    y = r.poisson(3, (40_000, len(m))).astype(np.float32)
    np.testing.assert_allclose(nnls(y, m)[20_000:], nnls(y[20_000:], m), atol=1e-6)
    assert nnls(y[:0], m).shape == (0, len(m))


def test_what_is_no_spillover_matrix_is_refused_by_nnls():
    with pytest.raises(ValueError, match="does not fit"):
        nnls(np.zeros((3, 2)), np.eye(3))


@pytest.mark.parametrize(
    ("sender", "receiver", "expected"),
    [
        ("Yb172Di", "Yb173Di", True),  # +1
        ("Yb172Di", "Yb171Di", True),  # −1
        ("Nd142Di", "Gd158Di", True),  # oxide
        ("Gd158Di", "Nd142Di", False),  # no −16
        ("Nd142Di", "Nd150Di", True),  # isotope
        ("Eu151Di", "Eu153Di", True),
        ("Pr141Di", "Nd143Di", False),  # +2 of a metal with one isotope
        ("Yb172Di", "Yb172Di", False),  # itself
        ("In113Di", "Cd113Di", False),  # the same mass is the same detector
        ("BCKG190Di", "Ir191Di", True),
    ],
)
def test_plausibility(sender, receiver, expected):
    assert plausible(parse_metal(sender), parse_metal(receiver)) is expected


@pytest.mark.parametrize(
    ("name", "metal"),
    [
        ("Pr141Di", Metal("Pr", 141)),
        ("(Pd102)Di", Metal("Pd", 102)),
        ("(Pd102)Dd", Metal("Pd", 102)),
        ("CD45(In115)Dd", Metal("In", 115)),
        ("141Pr", Metal("Pr", 141)),
        ("141Pr_CD196_CCR6", Metal("Pr", 141)),
        ("Y89Di", Metal("Y", 89)),
        ("I127Di", Metal("I", 127)),
        ("BCKG190Di", Metal(None, 190)),
        ("Time", None),
        ("Event_length", None),
        ("Cd45", None),
        ("CD45", None),
        ("BC1", None),
        ("beadDist", None),
        ("Pr142Di", None),
        ("", None),
    ],
)
def test_channel_names(name, metal):
    assert parse_metal(name) == metal


def test_masses_are_found_once_twice_or_not():
    assert find_masses(["Time", "In113Di", "Cd113Di", "Yb176Di"], [113, 176, 89]) == {113: [1, 2], 176: [3], 89: []}


def test_a_matrix_is_adapted_to_missing_and_extra_metals():
    matrix = planted().drop(index="La139Di")
    panel = ["Time", "Sm147Di", "Nd143Di", "Nd142Di", "Gd158Di", "Er171Di", "Yb172Di", "Dy161Di", "La139Di"]
    panel[5] = "Yb171Di"
    square, notes = adapt_matrix(matrix, panel)
    assert list(square.index) == list(square.columns) == panel[1:]
    assert square.at["Nd143Di", "Nd142Di"] == matrix.at["Nd143Di", "Nd142Di"]
    assert square.at["Nd142Di", "Gd158Di"] == matrix.at["Nd142Di", "Gd158Di"]
    assert (np.diag(square) == 1).all()
    for alone in ("Sm147Di", "Dy161Di", "La139Di"):
        assert square.loc[alone].sum() == 1
    assert square["Dy161Di"].sum() == 1
    assert notes[0] == "no single stain, taken to send nothing: Sm147Di, Dy161Di, La139Di"
    assert notes[1] == "not measured with the single stains, taken to receive nothing: Sm147Di, Dy161Di"
    assert notes[2].startswith("in the matrix, not in the panel: Pr141, Nd144")


def test_a_detector_receives_by_mass_whatever_its_metal():
    matrix = pd.DataFrame([[1, 0.02], [0, 1]], index=["In113Di", "Cd114Di"], columns=["In113Di", "Cd114Di"])
    square, _ = adapt_matrix(matrix, ["In113Di", "Sn114Di"])
    assert square.at["In113Di", "Sn114Di"] == 0.02 and square.at["Sn114Di", "In113Di"] == 0


def test_matrices_survive_their_file(tmp_path):
    write_matrix(planted(), tmp_path / "m.csv")
    pd.testing.assert_frame_equal(read_matrix(tmp_path / "m.csv"), planted(), check_names=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.rename(index={"Yb171Di": "CD56"}), "row CD56: found 'CD56', expected a mass channel"),
        (lambda m: m.drop(columns="Yb174Di"), "row Yb174Di: found no column"),
        (lambda m: m.assign(Pr141Di=m["Pr141Di"] * 0.9), "row Pr141Di, column Pr141Di: found .*0.9.*, expected 1"),
        (lambda m: m.assign(Yb172Di=-m["Yb172Di"]), "expected a share from 0 to 1|expected 1"),
        (lambda m: m.assign(Yb172Di="x"), "found 'x'"),
        (lambda m: m.assign(Yb172Di=m["Yb172Di"].where(m.index != "Pr141Di", 0.05)), "found 5.00 %, expected 0"),
        (lambda m: pd.concat([m, m.iloc[:1]]), "row La139Di: found 2 rows"),
    ],
)
def test_faulty_matrices_are_user_errors(tmp_path, change, message):
    change(planted()).to_csv(tmp_path / "m.csv")
    with pytest.raises(UserError, match=message) as told:
        read_matrix(tmp_path / "m.csv")
    assert "m.csv" in str(told.value)


def test_implausible_noise_is_set_to_zero():
    matrix = planted()
    matrix.at["Pr141Di", "Yb172Di"] = 0.0008
    assert check_matrix(matrix).at["Pr141Di", "Yb172Di"] == 0


def test_files_that_are_no_matrix(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read_matrix(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(UserError, match="spillover matrix"):
        read_matrix(tmp_path / "empty.csv")


def test_stains_with_few_events_are_all_named():
    truth = planted()
    events, stain = single_stains(truth)
    few = np.ones(len(stain), bool)
    for name in ("Yb171Di", "Nd142Di"):
        few[np.flatnonzero(stain == CHANNELS.index(name))[10:]] = False
    with pytest.raises(UserErrors) as told:
        estimate_spillover(events[few], CHANNELS, stain[few])
    assert [e.where for e in told.value.errors] == ["single stain Nd142Di", "single stain Yb171Di"]


def test_files_from_single_stains_to_compensated(tmp_path):
    truth = planted()
    stains, _ = single_stains(truth, per=300)
    events, _ = cells(truth, n=3_000)
    write_fcs(tmp_path / "stains.fcs", stains, CHANNELS)
    write_fcs(tmp_path / "cells.fcs", events, CHANNELS, markers=["", *[f"m{c}" for c in CHANNELS[1:]]])
    stained = [parse_metal(n).mass for n in NAMES if n != "Gd155Di"]
    settings = {"single_stains": "stains.fcs", "stained_masses": stained, "matrix": "", "minimum_events": 50}
    make_matrix(tmp_path / "stains.fcs", tmp_path / "m.csv", tmp_path / "m.svg", settings=settings)
    found = read_matrix(tmp_path / "m.csv")
    assert (found - truth.loc[found.index]).abs().to_numpy().max() < 0.003
    compensate_file(
        tmp_path / "cells.fcs",
        tmp_path / "m.csv",
        **dict(
            zip(("compensated", "record", "figure"), [tmp_path / f"c.{e}" for e in ("fcs", "json", "svg")], strict=True)
        ),
    )
    after, header = read_events(tmp_path / "c.fcs"), read_header(tmp_path / "c.fcs")
    assert (after[:, IONS] >= 0).all() and header.markers[1] == "mLa139Di"
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["n_events"] == 3_000
    assert record["channels"]["Yb172Di"]["mean_after"] < record["channels"]["Yb172Di"]["mean_before"]
    with pytest.raises(UserError, match="compensated before"):
        compensate_file(
            tmp_path / "c.fcs",
            tmp_path / "m.csv",
            **dict(
                zip(
                    ("compensated", "record", "figure"),
                    [tmp_path / f"d.{e}" for e in ("fcs", "json", "svg")],
                    strict=True,
                )
            ),
        )
    # a matrix of one's own goes the same way
    own = {"single_stains": "", "stained_masses": [], "matrix": "m.csv", "minimum_events": 50}
    make_matrix(tmp_path / "m.csv", tmp_path / "m2.csv", tmp_path / "m2.svg", settings=own)
    assert (tmp_path / "m.csv").read_bytes() == (tmp_path / "m2.csv").read_bytes()
    assert (tmp_path / "m.svg").read_bytes() == (tmp_path / "m2.svg").read_bytes()


def test_anndata_gets_a_layer():
    truth = planted()
    events, _ = cells(truth, n=500)
    adata = ad.AnnData(events, var=pd.DataFrame(index=CHANNELS))
    compensate_adata(adata, truth)
    want, _ = compensate(events, CHANNELS, truth)
    assert np.array_equal(adata.layers["compensated"], want) and np.array_equal(adata.X, events)


@pytest.mark.parametrize(
    "text",
    [
        ";Nd142Di;Nd143Di\nNd142Di;1,0;0,02\nNd143Di;0,01;1,0\n",
        "\tNd142Di\tNd143Di\nNd142Di\t1,0\t0,02\nNd143Di\t0,01\t1,0\n",
        ",Nd142Di,Nd143Di\nNd142Di,100,2\nNd143Di,1,100\n",
        ",Nd142Di,Nd143Di\nNd142Di,100%,2 %\nNd143Di,1%,100%\n",
        '"","Nd142Di","Nd143Di",\r\n"Nd142Di","1.0","0.02",\r\n"Nd143Di","0.01","1.0",',
    ],
)
def test_a_matrix_is_the_same_however_it_was_saved(tmp_path, text):
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "m.csv").write_bytes(text.encode(encoding))
        np.testing.assert_allclose(read_matrix(tmp_path / "m.csv").to_numpy(), [[1, 0.02], [0.01, 1]])


def test_unmeasured_entries_are_told_by_column(tmp_path):
    (tmp_path / "m.csv").write_text(",Nd142Di,Nd143Di\nNd142Di,1,NA\nNd143Di,NA,1\n")
    with pytest.raises(UserError) as caught:
        read_matrix(tmp_path / "m.csv")
    assert len(str(caught.value).splitlines()) == 2
