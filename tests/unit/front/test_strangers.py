"""Files of another panel are called strange before anything is gated; a good one that lost a marker is not."""

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.panel import load_panel, markers_in
from cimlnk.front.strangers import Panels, StrangeFiles, lineages_apart, read_panels, refuse_strangers, told
from fcs_bytes import build, keywords

WANTED = ["CD56", "CD16", "NKG2A", "CD57"]
CHANNELS = {"CD3": "In115Di", "CD56": "Nd145Di", "CD16": "Bi209Di", "NKG2A": "Sm149Di", "CD57": "Yb172Di"}
ROLES = {"CD3": "lineage", "CD56": "identity"}


def fcs(path, named):
    """A file with the channels of `named`: $PnN -> $PnS."""
    names = {f"$P{i}N": n for i, n in enumerate(named, 1)} | {
        f"$P{i}S": s for i, s in enumerate(named.values(), 1) if s
    }
    words = keywords(len(named), 5) | names
    path.write_bytes(build(words, np.ones((5, len(named)), "<f4").tobytes()))
    return path


@pytest.fixture
def panel(tmp_path):
    rows = [{"channel": c, "marker": m, "role": ROLES.get(m, "maturation"), "cofactor": 5, "cluster": "yes"}
            for m, c in CHANNELS.items()]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "panel.tsv", sep="\t", index=False)
    return load_panel(tmp_path / "panel.tsv")


def refuse(tmp_path, panel, **files):
    rows = pd.DataFrame([{"sample": s, "path": f"{s}.fcs", "batch": "b"} for s in ("old", *files)])
    for sample, named in files.items():
        fcs(tmp_path / f"{sample}.fcs", named)
    cfg = {"cohort": {"panel": str(tmp_path / "panel.tsv"), "data_root": None}}
    refuse_strangers(tmp_path / "results/early", rows, list(files), cfg=cfg, own=None, wanted=WANTED, sheet="n.tsv",
                     base=tmp_path)  # fmt: skip


GOOD = {c: f"{m}" for m, c in CHANNELS.items()}
ALIEN = {"In115Di": "CD45", "Nd145Di": "CD4", "Sm149Di": "pSTAT5", "Yb172Di": "IgM", "Gd156Di": "CD16"}


def test_a_file_with_all_markers_passes(tmp_path, panel):
    refuse(tmp_path, panel, a=GOOD, b=dict.fromkeys(GOOD, ""))


def test_a_path_that_the_system_refuses_is_left_to_where_sheets_are_read(tmp_path, panel):
    assert read_panels({"a": tmp_path / ("a" * 300 + ".fcs")}, panel, WANTED) == Panels({}, {})


def test_files_of_another_panel_are_called_strange_in_one_message(tmp_path, panel):
    with pytest.raises(StrangeFiles) as caught:
        refuse(tmp_path, panel, a=ALIEN, b=ALIEN, good=GOOD)
    text = str(caught.value)
    assert "2 of 3 files of n.tsv cannot be placed on the clusters of early" in text
    assert "a and b: 1 of the 4 markers that its cells were clustered by (CD16)" in text
    assert "not measured: CD56, NKG2A, CD57" in text and "nothing was written" in text
    assert "without the rows of the strange files the others can be added" in text


@pytest.mark.parametrize("marker", ["CD57", "CD56"])  # the panel may lack the one; without the other it does not fit
def test_a_good_file_that_lost_one_marker_is_refused_by_its_name(tmp_path, panel, marker):
    lost = {c: m for c, m in GOOD.items() if m != marker} | {"Pt195Di": "Unknown"}
    with pytest.raises(
        UserError, match=f"samples a and b, markers: found no {marker}, expected all 4 markers"
    ) as caught:
        refuse(tmp_path, panel, a=lost, b=lost, c=GOOD)
    assert not isinstance(caught.value, StrangeFiles)


def test_the_name_on_a_channel_counts_and_not_its_metal_where_the_panel_does_not_fit(tmp_path, panel):
    assert markers_in(read_header(fcs(tmp_path / "a.fcs", ALIEN)), panel) == {"CD45", "CD4", "CD16", "IgM"}
    assert markers_in(read_header(fcs(tmp_path / "b.fcs", {"Nd145Di": "", "x": "NKG2A"})), panel) == {"CD56", "NKG2A"}


def test_a_file_that_cannot_be_read_is_left_to_the_gating(tmp_path, panel):
    (tmp_path / "bad.fcs").write_bytes(b"FCS3.0")
    assert read_panels({"bad": tmp_path / "bad.fcs"}, panel, WANTED) == Panels({}, {})


def test_lineages_are_said_with_the_markers_they_are_told_by():
    panels = Panels({"a": []}, {"a": WANTED})
    words = {"sheet": "n.yaml", "run": "early", "own": True}
    text = told(panels, {"a": 2.04}, ["CD3", "CD4", "CD14"], untold=None, **words)
    assert "on the 3 markers of both panels (CD3, CD4, CD14) the lineages of 1 file lie 2.0 times as far" in text
    assert "1 of 1" in text and "--configfile n.yaml" in text
    assert "not compared: too few" in told(panels, {}, [], untold="too few", **words)


def test_lineages_of_another_laboratory_lie_far_and_those_of_the_same_do_not(tmp_path, monkeypatch):
    lineages = np.array(["T", "B"])

    def write(path, names, shift):
        rng = np.random.default_rng(len(names))
        lineage = np.tile(np.repeat([0, 1], 60), len(names))
        sample = np.repeat(names, 120)
        per = dict(zip(names, rng.normal(0, 0.15, (len(names), 3)), strict=True))
        x = (
            np.where(lineage[:, None] == 0, [5, 0, 3], [0, 5, 4])
            + [per[s] for s in sample]
            + rng.normal(0, 0.3, (len(sample), 3))
        )
        np.savez(path, values=(x + shift).astype(np.float32), markers=["CD3", "CD19", "CD45"], samples=names,
                 lineages=lineages, lineage=lineage, confidence=np.ones(len(x)),
                 sample=np.searchsorted(names, sample))  # fmt: skip

    old = [f"s{i}" for i in range(8)]
    write(tmp_path / "early.npz", old, 0)
    monkeypatch.setattr("cimlnk.front.strangers.make_pool", lambda *_, **__: None)
    rows = pd.DataFrame({"sample": ["a", "b"], "batch": "x"})
    cfg = {"cohort": {"panel": "p.tsv"}, "cytof": {"gates": "g.yaml"}, "seed": 1}
    found = {}
    for name, shift in {"good": 0, "alien": [1.5, -1.5, 1.0]}.items():
        monkeypatch.setattr(
            "cimlnk.front.strangers.make_lineages", lambda output, shift=shift, **_: write(output, ["a", "b"], shift)
        )
        paths = {"a": tmp_path, "b": tmp_path}
        found[name], shared = lineages_apart(
            tmp_path / "early.npz", rows, paths, cfg=cfg, base=tmp_path, kinds=dict.fromkeys([*old, "a", "b"], False)
        )
        assert shared == ["CD3", "CD19", "CD45"]
    assert max(found["good"].values()) < 1.5 < min(found["alien"].values())
