"""Adding samples: old rows stay as they are, new cells find their population, strangers are called strange."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cimlnk.cohort.config import resolve
from cimlnk.cohort.tables import COUNTS, PATIENTS, SAMPLES
from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_table, write_table
from cimlnk.cytof.h5ad import write_h5ad
from cimlnk.cytof.tables import CELLS, SUMMARY
from cimlnk.front.add import NEEDED, add, widened
from cimlnk.front.added_page import write_added_page
from cimlnk.front.far import by_chance, far_of
from cimlnk.front.place import place
from cimlnk.front.say_added import say, warnings_of
from cimlnk.graph.nearest import knn
from cimlnk.graph.tables import CLUSTERS, UMAP
from cimlnk.populations.tables import OVERRIDDEN, POPULATIONS, THRESHOLDS

CENTRES = np.array([[6.5, 0, 4], [3, 4, 4], [3, 4, 0]], np.float32)
NAMES = ["CD56bright", "CD56dim_NKG2A", "CD56dim"]
MARKERS = ["CD56", "CD16", "NKG2A"]


def blobs(rng, n, centres=CENTRES):
    which = np.repeat(np.arange(len(centres)), n)
    return which, (centres[which] + rng.normal(0, 0.3, (len(which), 3))).astype(np.float32)


def sheets(samples):
    rows = [{"sample": s, "patient": "p1", "day": d, "timepoint": f"D{d}", "arm": "CIML", "tissue_or_product": "blood",
             "modality": "cytof", "path": s, "batch": "b", "sha256": None} for d, s in enumerate(samples)]  # fmt: skip
    patient = {c: ("p1" if c == "patient" else "CIML" if c == "arm" else None) for c in PATIENTS.columns}
    numbers = {c: float("nan") for c, (kind, _) in PATIENTS.columns.items() if kind == "float"}
    return SimpleNamespace(samples=SAMPLES.check(pd.DataFrame(rows)), counts=COUNTS.empty(),
                           patients=PATIENTS.check(pd.DataFrame([patient | numbers])),
                           sources={s: f"/some/where/{s}.fcs" for s in samples})  # fmt: skip


@pytest.fixture
def earlier(tmp_path):
    """A finished run of one sample, 300 cells of three populations."""
    folder = tmp_path / "results/early"
    which, x = blobs(np.random.default_rng(1), 100)
    (folder / "cytof").mkdir(parents=True)
    np.save(folder / "cytof/features.npy", x)
    about = {
        "features": MARKERS,
        "integration": {"applied": False},
        "low": [-9] * 3,
        "high": [9] * 3,
        "centre": [0] * 3,
        "spread": [1] * 3,
    }
    (folder / "cytof/features.json").write_text(json.dumps(about))
    cells = pd.DataFrame({"cell": [f"s0:{i}" for i in range(300)], "sample": "s0", "cluster": which,
                          "confidence": np.float32(1), "population": np.array(NAMES, object)[which]})  # fmt: skip
    counts = {"n_events": 900, "n_live_singlets": 800, "n_lymphocytes": 600.0, "n_nk": 300, "n_nk_low": 290.0}
    counts |= {"n_nk_lineage": 300.0, "n_nk_gates": 295.0}
    summary = [counts | {"sample": "s0", "n_nk_high": 310.0, "qc_score": 1.0, "left_out": False, "reason": None}]
    cuts = pd.DataFrame({"feature": MARKERS, "batch": "b", "threshold": 2.0, "low": 1.9, "high": 2.1,
                         "method": "valley", "reason": None})  # fmt: skip
    more = (("thresholds", THRESHOLDS, cuts), ("overridden", OVERRIDDEN, OVERRIDDEN.empty()))
    (folder / "cytof/clustering.json").write_text(json.dumps({"resolution": None}))
    lists = knn(x, 15)
    np.savez(folder / "cytof/graph.npz", indices=lists.indices, distances=lists.distances, rows=np.arange(300))
    new_sample(folder / "cytof/samples/s0.h5ad", x)
    for name, schema, table in (
        *more, ("cells", CELLS, cells), ("clusters", CLUSTERS, cells), ("populations", POPULATIONS, cells),
        ("summary", SUMMARY, pd.DataFrame(summary)),
    ):  # fmt: skip
        write_table(table[list(schema.columns)], folder / f"cytof/{name}.parquet", schema, provenance={})
    return folder


def new_sample(path, x, markers=MARKERS):
    obs = pd.DataFrame({"bead": np.zeros(len(x))}, index=[f"{path.stem}:{i}" for i in range(len(x))])
    var = pd.DataFrame({"channel": markers, "role": "identity", "cofactor": 5.0, "cluster": True}, index=markers)
    counts = {"n_events": 900, "n_live_singlets": 800, "n_lymphocytes": 600, "n_nk": len(x), "n_nk_low": len(x),
              "n_nk_high": len(x), "qc_score": 1.0}  # fmt: skip
    write_h5ad(path, x, x, obs=obs, var=var, record={"left_out": False, "reason": None, "summary": counts})
    return path


def put(earlier, tmp_path, x, markers=MARKERS, **more):
    cfg = resolve({"cohort": {"id": "early", "samples": str(tmp_path / "s.tsv")}}, tmp_path)
    files = {"s1": new_sample(tmp_path / "s1.h5ad", x, markers)} | more
    return place(earlier, files, sheets(["s0", *files]), cfg=cfg, out=tmp_path / "results/new", seed=1)


@pytest.fixture(autouse=True)
def _sheet(tmp_path):
    (tmp_path / "s.tsv").write_text("sample\nearlier\n")


def test_new_cells_find_their_population_and_old_rows_are_as_they_were(earlier, tmp_path):
    before = {p: p.read_bytes() for p in sorted(earlier.rglob("*")) if p.is_file()}
    which, x = blobs(np.random.default_rng(2), 40)
    placed = put(earlier, tmp_path, x)
    table = placed.table
    both = read_table(tmp_path / "results/new/cytof/populations.parquet")
    pd.testing.assert_frame_equal(both.head(300), read_table(earlier / "cytof/populations.parquet"))
    assert (both["population"].to_numpy()[300:] == np.array(NAMES, object)[which]).mean() > 0.99
    assert (
        table["strange"].max() < 0.06 and table["n_cells"].sum() == 120 and table["confidence"].min() > 0.8
    )  # CD57 was not measured
    assert {p: p.read_bytes() for p in before} == before
    assert read_table(tmp_path / "results/new/cohort/samples.parquet")["path"].tolist() == ["s0.fcs", "s1.fcs"]
    times = pd.read_csv(tmp_path / "results/new/benchmarks/add.tsv", sep="\t")
    assert (
        times["part"].tolist() == ["clusters", "names", "tables", "abundance", "strangeness"]
        and (times["cpu_time"] >= 0).all()
    )
    shares = read_table(tmp_path / "results/new/dynamics/abundance.parquet")
    assert set(shares["sample"]) == {"s0", "s1"} and shares["fraction"].notna().any()


def test_cells_of_another_kind_are_strange_and_it_is_said(earlier, tmp_path, capsys):
    _, x = blobs(np.random.default_rng(3), 40, np.array([[8, 8, -4]], np.float32))
    placed = put(earlier, tmp_path, x)
    assert placed.table["strange"].iloc[0] > 0.95
    assert say(tmp_path / "results/new", placed, 420) == ["s1"]
    out = capsys.readouterr().out
    page = (tmp_path / "results/new/added/index.html").read_text()
    assert "s1 is strange" in page and "No sample is strange" not in page and "Where its cells lie" not in page
    assert "s1 is strange" in out and "too few cells to cluster" in out and "no lineages" in out


def test_a_few_cells_that_may_lie_far_by_chance_are_said_to_tell_nothing(earlier, tmp_path):
    which, x = blobs(np.random.default_rng(4), 6)
    x[:3] += 9  # 3 of 18
    placed = put(earlier, tmp_path, x)
    assert placed.table["strange"].iloc[0] > 0.10
    told, strange = warnings_of(tmp_path / "results/new", placed, 318)
    assert not strange and len(told) == 1
    assert (
        "(3 of 18 cells) lie far" in told[0] and "300 earlier cells" in told[0] and "too few cells to tell" in told[0]
    )


def test_a_share_of_many_cells_at_the_border_is_not_said_to_be_chance(earlier, tmp_path):
    placed = put(earlier, tmp_path, blobs(np.random.default_rng(4), 6)[1])
    known = by_chance(np.arange(4000.0), np.zeros(4000, int))
    far = far_of(np.repeat([2.0, 0.5], [1010, 8990]), np.zeros(10_000, int), known)
    table = placed.table.assign(n_nk=10_000, strange=far.share, least=far.least, chance=far.chance)
    told, strange = warnings_of(tmp_path / "results/new", placed._replace(table=table), 14_000)
    assert not strange and len(told) == 1
    assert "(1010 of 10000 cells) lie far" in told[0] and "at the least 9.6%" in told[0]
    assert "chance" not in told[0] and "few" not in told[0]


def test_new_cells_get_the_name_of_their_own_kind_unless_a_person_named_the_earlier_ones(earlier, tmp_path):
    (earlier / "cytof/clustering.json").write_text(json.dumps({"resolution": 0.5}))
    x = np.random.default_rng(5).normal([3, 4, 0], 0.3, (80, 3)).astype(np.float32)
    placed = put(earlier, tmp_path, x)
    both = read_table(tmp_path / "results/new/cytof/populations.parquet")
    assert (both["population"].iloc[300:] == "CD56dim").mean() > 0.95
    assert placed.table.set_index("population")["nearest"].get("CD56bright", 0) > 0 or placed.apart is not None
    by_hand = {
        c: (0 if k == "int" else float("nan") if k == "float" else "x") for c, (k, _) in OVERRIDDEN.columns.items()
    }
    write_table(
        OVERRIDDEN.check(pd.DataFrame([by_hand])), earlier / "cytof/overridden.parquet", OVERRIDDEN, provenance={}
    )
    assert put(earlier, tmp_path, x).reason.startswith("names of the earlier run were given by hand")


def test_a_page_shows_where_the_new_cells_lie_and_the_course_with_them(earlier, tmp_path):
    which, x = blobs(np.random.default_rng(2), 40)
    middle = np.array([[0, 0], [10, 0], [0, 10]], np.float32)
    known = np.repeat(middle, 100, axis=0)
    ids = [f"s0:{i}" for i in range(300)]
    umap = pd.DataFrame({"cell": ids, "umap1": known[:, 0], "umap2": known[:, 1]})
    write_table(umap, earlier / "cytof/umap.parquet", UMAP, provenance={})
    x = np.delete(x, slice(0, 30), axis=0)  # of 40 CD56bright cells 10 are left
    placed = put(earlier, tmp_path, x)
    out = tmp_path / "results/new"
    both = read_table(out / "cytof/umap.parquet")
    assert both.head(300).equals(umap)
    far = np.abs(both[["umap1", "umap2"]].to_numpy()[300:] - middle[which[30:]]).max(axis=1)
    assert (far < 0.01).mean() > 0.99, "a cell lies where its nearest known cells do"
    warned, strange = warnings_of(out, placed, 390)
    page = write_added_page(out, placed, warned).read_text()
    assert not strange and "No sample is strange" in page and "Where its cells lie" in page and "D1 (new)" in page
    table = pd.read_csv(out / "added/tables/subsets.csv").set_index("population")
    assert table.loc["CD56bright", "fraction"] == pytest.approx(10 / 90, abs=0.01)
    assert (
        table.loc["CD56bright", "before"] == pytest.approx(1 / 3, abs=0.001)
        and table.loc["CD56bright", "apart"] == "yes"
    )
    assert table.loc["CD56bright", "before_day"] == 0


def test_a_sample_without_a_marker_of_the_clustering_is_refused(earlier, tmp_path):
    with pytest.raises(UserError, match="no CD16, NKG2A"):
        put(earlier, tmp_path, np.zeros((5, 3), np.float32), ["CD56", "CD7", "CD57"])


def test_a_sample_without_nk_cells_is_left_out_with_the_reason_and_the_others_are_placed(earlier, tmp_path):
    _, x = blobs(np.random.default_rng(2), 40)
    none = tmp_path / "s2.h5ad"
    record = {"left_out": True, "reason": "0 live events", "summary": None}
    var = pd.DataFrame({"channel": MARKERS, "role": "identity", "cofactor": 5.0, "cluster": True}, index=MARKERS)
    nothing = np.zeros((0, 3), np.float32)
    write_h5ad(none, nothing, nothing, obs=pd.DataFrame({"bead": []}, index=pd.Index([], dtype=str)), var=var,
               record=record)  # fmt: skip
    assert set(put(earlier, tmp_path, x, s2=none).table["sample"]) == {"s1"}
    summary = read_table(tmp_path / "results/new/cytof/summary.parquet").set_index("sample")
    assert summary.loc["s2", "left_out"] and summary.loc["s2", "reason"] == "0 live events"
    with pytest.raises(UserError, match="s2: 0 live events"):
        put(earlier, tmp_path, nothing, s1=none, s2=none)


@pytest.mark.parametrize(("modality", "why"), [("rna", "all samples together"), ("flow", "estimated from all files")])
def test_what_cannot_be_added_says_why_and_writes_nothing(earlier, tmp_path, modality, why):
    (tmp_path / "c.yaml").write_text("cohort: {id: early, samples: s.tsv}\n")
    (tmp_path / "n.tsv").write_text(f"sample\tmodality\nb\t{modality}\n")
    with pytest.raises(UserError, match=why):
        add(tmp_path / "n.tsv", tmp_path / "c.yaml", base=tmp_path)
    assert not (tmp_path / "config").exists()
    place = earlier / "cytof/features.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"integration": {"applied": True}}))
    with pytest.raises(UserError, match="batches were aligned"):
        add(tmp_path / "n.tsv", tmp_path / "c.yaml", base=tmp_path)


def test_a_mistake_in_the_new_sheet_is_told_by_its_own_row_and_leaves_nothing(earlier, tmp_path):
    head = "sample\tpatient\tday\ttimepoint\tarm\ttissue_or_product\tmodality\tpath\tbatch\n"
    row = "{}\tp1\t{}\tD{}\tCIML\tblood\tcytof\t{}.fcs\tb\n"
    for sample in ("a", "b", "c"):
        (tmp_path / f"{sample}.fcs").touch()
    (tmp_path / "s.tsv").write_text(head + row.format("a", 0, 0, "a") + row.format("b", 7, 7, "b"))
    (tmp_path / "c.yaml").write_text("cohort: {id: early, samples: s.tsv}\n")
    (tmp_path / "n.tsv").write_text(head + row.format("c", "D28", 28, "c"))
    with pytest.raises(UserError) as caught:
        add(tmp_path / "n.tsv", tmp_path / "c.yaml", base=tmp_path)
    assert f"{tmp_path}/n.tsv: row 2, column day: found 'D28', expected an integer" in str(caught.value)
    # a drafted sheet has lines above its header, and they count; so do quotes that a spreadsheet puts around them
    (tmp_path / "n.tsv").write_text(
        '# ? patient: from the file name\n"# ? arm: H, S"\n' + head + row.format("c", "D28", 28, "c")
    )
    with pytest.raises(UserError, match="n.tsv: row 4, column day: found 'D28'"):
        add(tmp_path / "n.tsv", tmp_path / "c.yaml", base=tmp_path)
    # another row is called by its own sheet, too, whatever characters end a line for Python alone
    note = "\tnote\n"
    old = "# the first visits\n" + head[:-1] + note + row.format("a", 0, 0, "a")[:-1] + "\tx\x0b\u2028y\n"
    (tmp_path / "s.tsv").write_text(old + row.format("b", 7, 7, "b"))
    (tmp_path / "n.tsv").write_text("# new\n" + head + row.format("c", 28, 28, "b") + row.format("c", 35, 35, "c"))
    with pytest.raises(UserError) as caught:
        add(tmp_path / "n.tsv", tmp_path / "c.yaml", base=tmp_path)
    told = str(caught.value).splitlines()
    assert any("n.tsv: row 3, column path: found 'b.fcs'" in t and "row 4 of s.tsv has this one too" in t for t in told)
    assert any("n.tsv: row 4, column sample: found 'c'" in t and t.endswith("is in row 3 too") for t in told)
    (tmp_path / "n.tsv").write_text(head + row.format("c", 28, 28, "c").rstrip() + "\tmore\n")
    with pytest.raises(UserError, match="n.tsv: row 2: found 10 fields"):
        add(tmp_path / "n.tsv", tmp_path / "c.yaml", base=tmp_path)
    assert not [p for p in (tmp_path / "config").rglob("*") if p.is_file()]


def test_an_id_under_which_the_given_sheet_would_be_overwritten_is_refused(earlier, tmp_path):
    (tmp_path / "c.yaml").write_text("cohort: {id: early, samples: s.tsv}\n")
    (tmp_path / "s.tsv").write_text("sample\tmodality\na\tcytof\n")
    (tmp_path / "config/samples").mkdir(parents=True)
    (tmp_path / "config/samples/new.tsv").write_text("sample\tmodality\nb\tcytof\n")
    (tmp_path / "config/new.yaml").write_text("cohort: {id: new, samples: config/samples/new.tsv}\n")
    for given in ("config/samples/new.tsv", "config/new.yaml"):
        with pytest.raises(UserError, match="--id: found 'new', expected another one: .* would take the place of"):
            add(tmp_path / given, tmp_path / "c.yaml", name="new", base=tmp_path)


def test_the_widened_sheet_has_all_samples_once(tmp_path):
    (tmp_path / "s.tsv").write_text("# mine\nsample\tday\tage\na\t1\t40\n")
    (tmp_path / "n.csv").write_text("sample,day\nb,2\n")
    config, text, new = widened({"cohort": {"id": "x", "samples": "s.tsv"}}, tmp_path / "n.csv", "y", base=tmp_path)
    assert text == "sample\tday\tage\na\t1\t40\nb\t2\t\n" and new == ["b"]
    assert config["cohort"] == {"id": "y", "samples": "config/samples/y.tsv"}
    (tmp_path / "n.csv").write_text("sample,day\na,2\n")
    with pytest.raises(UserError, match="found 'a'"):
        widened({"cohort": {"id": "x", "samples": "s.tsv"}}, tmp_path / "n.csv", "y", base=tmp_path)


def test_a_draft_of_the_new_files_is_as_good_as_a_sheet(tmp_path):
    (tmp_path / "visit2").mkdir()
    (tmp_path / "s.tsv").write_text("sample\tpatient\tarm\tpath\t?\na\tP1\tCIML\tfcs/a.fcs\tpatient: the name\n")
    (tmp_path / "n.tsv").write_text("sample\tpatient\tarm\tpath\t?\nb\tP1\tall\tb.fcs\tx\nc\tP2\tall\tc.fcs\ty\n")
    (tmp_path / "n.yaml").write_text("cohort: {id: n, samples: n.tsv, data_root: visit2}\n")
    given = {"cohort": {"id": "x", "samples": "s.tsv"}}
    _, text, new = widened(given, tmp_path / "n.yaml", "y", base=tmp_path)
    there = (tmp_path / "visit2").resolve()
    assert text.splitlines() == [
        "sample\tpatient\tarm\tpath", "a\tP1\tCIML\tfcs/a.fcs", f"b\tP1\tCIML\t{there}/b.fcs",
        f"c\tP2\tall\t{there}/c.fcs",
    ]  # fmt: skip
    assert new == ["b", "c"]
    (tmp_path / "n.tsv").write_text("sample\tpatient\tarm\tpath\t?\nb\tP1\tall\t\tx\n")
    assert widened(given, tmp_path / "n.yaml", "y", base=tmp_path)[1].splitlines()[-1] == "b\tP1\tCIML\t"
    with pytest.raises(UserError, match="a sample sheet or a drafted config"):
        widened(given, tmp_path / "m.yaml", "y", base=tmp_path)


def test_without_a_finished_run_there_is_nothing_to_add_to(tmp_path):
    (tmp_path / "c.yaml").write_text("cohort: {id: none, samples: s.tsv}\n")
    with pytest.raises(UserError, match="a finished run"):
        add(tmp_path / "s.tsv", tmp_path / "c.yaml", base=tmp_path)
    assert "cytof/features.npy" in NEEDED
