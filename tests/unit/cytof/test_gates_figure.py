"""The figure of a sample's gates: what is kept of the events for it, and what is drawn where."""

from __future__ import annotations

import dataclasses

import matplotlib.image
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from cimlnk.common.errors import UserError
from cimlnk.cytof.cells import leave_out
from cimlnk.cytof.gating.canvas import Canvas, png
from cimlnk.cytof.gating.figure import COLOURS, Box, draw_all, draw_gates, ticks
from cimlnk.cytof.gating.picture import load_picture, picture_of, save_picture
from cimlnk.cytof.gating.read import read_sample
from cimlnk.cytof.gating.sample import gate_sample
from cimlnk.cytof.lineage.markers import LINEAGES

SAMPLE = "P1_D28_cytof"


@pytest.fixture
def gated(cohort, places, settings):
    data = read_sample(cohort / f"{SAMPLE}.fcs", places["panel"], settings)
    return data, *gate_sample(data, SAMPLE, "b", gates=places["gates"], pool=None, settings=settings, seed=1)


def test_a_picture_says_what_the_gates_did_and_survives_its_file(gated, tmp_path):
    data, found, course = gated
    picture = picture_of(data, found, course, sample=SAMPLE)
    rows = found.rows.set_index("gate")
    last = picture.panels[-1]
    assert last.gate == "nk" and last.lines[0].value == rows.loc["nk", "threshold"]
    looked = found.nodes["leukocytes"]  # where the shipped hierarchy looks for the last gate
    channel = data.matched.of_marker("CD56")
    share = (data.scaled[looked, channel.column] >= last.lines[0].value).mean()
    assert last.share == f"{share:.1%} of {looked.sum():,}"
    x, _, keep = last.curve
    np.testing.assert_array_equal(keep > 0, x >= np.float32(last.lines[0].value))
    assert dict(picture.yields)["nk"] == rows.loc["nk", "n_out"] == found.chosen.sum()
    save_picture(picture, tmp_path / "p.npz")
    again = load_picture(tmp_path / "p.npz")
    np.testing.assert_equal(dataclasses.asdict(again), dataclasses.asdict(picture))
    save_picture(picture, tmp_path / "q.npz")
    assert (tmp_path / "q.npz").read_bytes() == (tmp_path / "p.npz").read_bytes()
    for name in ("a.png", "b.png"):
        draw_gates(again, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    image = matplotlib.image.imread(tmp_path / "a.png")
    assert image.shape[1] == 1150 and (image < 0.5).any(axis=2).mean() > 0.01


def test_dots_lie_where_their_values_are(gated, tmp_path):
    picture = picture_of(*gated, sample=SAMPLE)
    assert not picture.planes, "without lineages there is nothing to colour dots by"
    canvas = Canvas(100, 80)
    box = Box(10, 20, 90, 70, x_low=-1, x_high=7, y_low=0, y_high=5)
    code = LINEAGES.index("NK")
    canvas.dots(box.at_x(np.array([3.0])), box.at_y(np.array([4.0])), COLOURS[LINEAGES[code]])
    canvas.save(tmp_path / "d.png")
    image = matplotlib.image.imread(tmp_path / "d.png")[:, :, :3]
    row, column = np.argwhere(np.abs(image - to_rgb(COLOURS["NK"])).max(axis=2) < 0.01).mean(axis=0) + 0.5
    assert (column, row) == pytest.approx((10 + 80 * 4 / 8, 70 - 50 * 4 / 5), abs=0.6)


def test_a_sample_that_is_left_out_says_why_and_stops_no_other(gated, tmp_path):
    kept = tmp_path / "k.npz"
    save_picture(picture_of(*gated, sample=SAMPLE), kept)
    out = {"output": tmp_path / "l.h5ad", "gates": tmp_path / "l.parquet", "picture": tmp_path / "l.npz"}
    leave_out(UserError("x.fcs", "TEXT", "y", "z"), **out)
    assert load_picture(out["picture"]).left_out == "x.fcs: TEXT: found 'y', expected z"
    draw_all([out["picture"], kept], [tmp_path / "l.png", tmp_path / "k.png"])
    assert matplotlib.image.imread(tmp_path / "k.png").shape[0] > matplotlib.image.imread(tmp_path / "l.png").shape[0]
    kept.write_bytes(kept.read_bytes()[:-200])
    with pytest.raises(UserError, match="k.npz: picture of the gates"):
        load_picture(kept)


def test_the_palette_is_near_to_every_colour(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 70, 3)).astype(np.uint8)  # more colours than fit
    pixels[:30] = (31, 111, 139)
    (tmp_path / "p.png").write_bytes(png(pixels))
    read = np.round(255 * matplotlib.image.imread(tmp_path / "p.png")[:, :, :3])
    # 4096 groups of 16 a side; the 256 kept of them are some 40 apart
    assert (read[:30] == (31, 111, 139)).all() and np.abs(read - pixels).max() < 110
    few = (np.arange(16)[:, None, None] * 16 + np.zeros((1, 8, 3))).astype(np.uint8)
    (tmp_path / "f.png").write_bytes(png(few))
    np.testing.assert_array_equal(np.round(255 * matplotlib.image.imread(tmp_path / "f.png")[:, :, :3]), few)


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (-0.4, 6.2, ["0", "2", "4", "6"]),
        (690, 1290, ["700", "800", "900", "1,000", "1,100", "1,200"]),
        (4.7, 6.7, ["5.0", "5.5", "6.0", "6.5"]),
        (-1.1, 1.1, ["-1.0", "-0.5", "0.0", "0.5", "1.0"]),
    ],
)
def test_ticks_are_round_and_few(low, high, told):
    assert [text for _, text in ticks(low, high)] == told
