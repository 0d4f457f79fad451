"""All preparation steps switched on in one run: pools with beads, barcodes, spillover, two batches; and all off."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from checkout import copy_checkout, snakemake
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.h5ad import read_record
from lab import CYTOF, make_lab

POOLS = {"plate1": CYTOF[:2], "plate2": CYTOF[2:]}
BARCODES = ["Pd102Di", "Pd104Di", "Pd105Di", "Pd108Di"]
CODES = {CYTOF[0]: (1, 1, 0, 0), CYTOF[1]: (0, 0, 1, 1), CYTOF[2]: (1, 0, 1, 0), CYTOF[3]: (0, 1, 0, 1)}
LOSS = {"plate1": 0.2, "plate2": 0.4}  # sensitivity lost over the run


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    """A checkout, and a lab whose samples were barcoded, pooled by patient and acquired with drifting sensitivity."""
    base = tmp_path_factory.mktemp("pools")
    lab = make_lab(base / "lab")
    r = np.random.default_rng(0)
    origin = {}
    for pool, samples in POOLS.items():
        parts = []
        for sample in samples:
            header, events = read_header(lab.fcs(sample)), read_events(lab.fcs(sample))
            bead = events[:, header.index("Ce140Di")] > 500  # beads carry no barcode
            stain = 700 * r.lognormal(0, 0.3, (len(events), 1)) * np.array(CODES[sample]) * ~bead[:, None]
            label = np.full((len(events), 1), samples.index(sample)) * np.where(bead, np.nan, 1.0)[:, None]
            parts.append(np.hstack([events, r.poisson(stain + 2), label]))
        events = np.vstack(parts)
        events = events[np.argsort(events[:, header.index("Time")], kind="stable")]
        origin[pool], events = events[:, -1], events[:, :-1]
        drift = 1 - LOSS[pool] * np.linspace(0, 1, len(events))
        ions = [i for i, c in enumerate([*header.channels, *BARCODES]) if c.endswith("Di")]
        events[:, ions] *= drift[:, None]
        i, j = header.index("Yb171Di"), header.index("Yb172Di")
        events[:, j] += 0.04 * np.clip(events[:, i], 0, None)
        write_fcs(
            lab.base / f"raw/{pool}.fcs",
            events,
            [*header.channels, *BARCODES],
            markers=[*header.markers, *BARCODES],
            metadata={"$CYT": "x"},
        )
    sheet = pd.read_csv(lab.base / "samples.tsv", sep="\t", dtype=str)
    sheet = sheet[sheet["sample"].isin(CYTOF)]
    sheet["path"] = [f"{p}.fcs" for s in sheet["sample"] for p, names in POOLS.items() if s in names]
    sheet.to_csv(lab.base / "samples.tsv", sep="\t", index=False)
    masses = [b[2:5] for b in BARCODES]
    key = [["sample", *masses], *([s, *map(str, c)] for s, c in CODES.items())]
    (lab.base / "key.csv").write_text("\n".join(",".join(row) for row in key) + "\n")
    (lab.base / "spill.csv").write_text("sender,Yb171Di,Yb172Di\nYb171Di,1,0.04\nYb172Di,0,1\n")
    cytof = {
        "bead_normalisation": {"enabled": True, "baseline": "cohort", "minimum_beads": 11},
        "debarcoding": {"enabled": True, "key": str(lab.base / "key.csv")},
        "spillover": {"enabled": True, "matrix": str(lab.base / "spill.csv")},
        "alignment": {"enabled": True, "keep": ["timepoint"]},
    }
    # cells lie outside of the sketch: all that comes after the graph is made and shown for them as well
    graph = {"sketch_above": 1000, "sketch_size": 1000, "subsamples": 3, "resolutions": [0.2, 0.5]}
    lab.configure(cytof=cytof, graph=graph)
    return copy_checkout(base / "clone"), lab, origin


@pytest.mark.slow
def test_all_steps_on_from_pools_to_aligned_features(pooled):
    checkout, lab, origin = pooled
    targets = ["results/lab/cytof/features.npy", "results/lab/cytof/alignment/distances.json"]
    done = snakemake(checkout, *targets, "--cores", "2", "--configfile", str(lab.base / "lab.yaml"))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    results = checkout / "results/lab/cytof"
    means = []
    for pool, loss in LOSS.items():
        record = json.loads((results / f"normalised/{pool}.json").read_text())
        assert record["drift_before"] < -0.6 * loss and abs(record["drift_after"]) < 0.05
        means.append(record["baseline"])
        found = pd.read_parquet(results / f"debarcoded/{pool}.parquet")
        kept = ~np.isnan(origin[pool])  # beads are gone before debarcoding; a few of their doublets with cells as well
        assert len(found) == record["n_kept"] <= kept.sum() + 5
        yields = pd.read_parquet(results / f"debarcoded/{pool}.yields.parquet").set_index("sample")["n_assigned"]
        truth = [int((origin[pool] == k).sum()) for k in range(2)]
        np.testing.assert_allclose(yields[list(POOLS[pool])], truth, rtol=0.06)
    assert means[0] == means[1], "one baseline for the cohort"
    for sample in CYTOF:
        header = read_header(results / f"compensated/{sample}.fcs")
        assert {"CIMLNK_NORMALISED", "CIMLNK_DEBARCODED", "CIMLNK_COMPENSATED"} <= set(header.text)
        assert read_record(results / f"samples/{sample}.h5ad")["alignment"]["applied"]
    report = json.loads((results / "features.json").read_text())
    assert report["integration"]["applied"] and report["n_cells"] > 500
    distances = json.loads((results / "alignment/distances.json").read_text())
    assert distances["other_batch"]["after"] < distances["other_batch"]["before"]


@pytest.fixture(scope="module")
def results(pooled):
    """The same run, gone on to the report."""
    checkout, lab, _ = pooled
    done = snakemake(checkout, "results/lab/report", "--cores", "2", "--configfile", str(lab.base / "lab.yaml"))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return checkout / "results/lab"


@pytest.mark.slow
def test_site_shows_the_figures_of_all_steps(results):
    page = (results / "report/preparation.html").read_text()
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Bead normalisation", "Debarcoding", "Spillover", "Batch alignment"]
    made = [f"{folder}/{pool}" for folder in ("normalised", "debarcoded") for pool in POOLS]
    made += [f"compensated/{sample}" for sample in CYTOF]
    sources = {f"figures/{name}.svg": f"cytof/{name}.svg" for name in [*made, "spillover"]}
    sources["figures/alignment.svg"] = "cytof/alignment/distances.svg"
    assert set(re.findall(r'<img src="(.*?)"', page)) == set(sources)
    for shown, source in sources.items():
        assert (results / "report" / shown).read_bytes() == (results / source).read_bytes()


@pytest.mark.slow
def test_a_sketched_cohort_comes_to_a_report_about_all_its_cells(results):
    named = pd.read_parquet(results / "cytof/populations.parquet")
    with np.load(results / "cytof/graph.npz") as saved:
        assert len(saved["rows"]) == 1000 < int(saved["n_cells"]) == len(named)
    # a page's words are broken into lines
    words = " ".join((results / "report/populations.html").read_text().split())
    assert f"Clustered was a sketch of 1,000 cells drawn evenly from {len(named):,}" in words
    counts = pd.read_parquet(results / "dynamics/abundance.parquet")
    counts = counts[(counts["population"] != "NK") & counts["fraction"].notna()]
    assert counts.groupby("sample")["n_cells"].sum().sum() == len(named)


def test_steps_that_are_off_have_no_rule(pooled):
    checkout, _, _ = pooled
    listed = snakemake(checkout, "--list-rules", "--configfile", "config/tiny.yaml").stdout.split()
    assert "cytof_cells" in listed
    assert [
        r for r in listed if r.startswith(("cytof_normalise", "cytof_debarcode", "cytof_comp", "cytof_align"))
    ] == []


@pytest.mark.parametrize(
    ("step", "keys", "message"),
    [
        ("debarcoding", {"key": ""}, "cytof.debarcoding.key: found ''"),
        ("spillover", {"matrix": ""}, "cytof.spillover: found neither single_stains nor matrix"),
        ("bead_normalisation", {"baseline": "reference", "reference": "plate3"}, "did you mean 'plate"),
        ("alignment", {"keep": ["timepoint", "patient"]}, "batches that differ in patient as well"),
    ],
)
def test_what_cannot_be_prepared_is_told_before_anything_runs(pooled, tmp_path, step, keys, message):
    checkout, lab, _ = pooled
    config = yaml.safe_load((lab.base / "lab.yaml").read_text())
    config["cytof"][step].update(keys)
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(config))
    done = snakemake(checkout, "-n", "--configfile", str(tmp_path / "wrong.yaml"))
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
