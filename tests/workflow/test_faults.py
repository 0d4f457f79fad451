"""What users get wrong: every fault ends in one message that names the place, what was found and what was expected."""

from __future__ import annotations

import gzip
import html
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from checkout import copy_checkout, snakemake
from lab import CYTOF, Lab, make_lab

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^(?P<file>.+?): (?P<where>.+?): found (?P<found>.+), expected (?P<expected>.+)$")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Lab:
    """The lab without any fault, made once."""
    return make_lab(tmp_path_factory.mktemp("whole") / "lab")


@pytest.fixture
def lab(whole, tmp_path) -> Lab:
    """A copy to bend."""
    return whole.copy(tmp_path / "lab")


def load(lab: Lab):
    """What Snakemake does before anything is run."""
    from cimlnk.cohort.config import resolve
    from cimlnk.cohort.sheets import load_cohort

    cfg = resolve(lab.config, ROOT, "lab.yaml")
    return cfg, load_cohort(cfg, ROOT)


def make_cytof(lab: Lab, sample: str = CYTOF[1]):
    """What rule `cytof_cells` does."""
    from cimlnk.cytof.cells import make_cells

    cfg, _ = load(lab)
    make_cells(
        fcs=lab.fcs(sample), sample=sample, batch="day1", panel=lab.base / "panel.tsv",
        gate_file=ROOT / cfg["cytof"]["gates"], pool=None, settings=cfg["cytof"], seed=1,
        output=lab.base / "cells.h5ad", gates=lab.base / "gates.parquet", provenance={},
    )  # fmt: skip


def make_rna(lab: Lab, raw: Path):
    """What rule `rna_cells` does."""
    from cimlnk.rna.cells import make_cells

    cfg, _ = load(lab)
    make_cells(
        raw=str(raw), sample="x", lineages=str(ROOT / cfg["rna"]["lineages"]), settings=cfg["rna"], seed=1,
        output=str(lab.base / "cells.h5ad"), gates=str(lab.base / "gates.parquet"), provenance={},
    )  # fmt: skip


def one_message(run: Callable[[], object], file: str, where: str, words: str) -> None:
    """`run` fails with exactly one complete message of the house's form."""
    from cimlnk.common.errors import UserError

    with pytest.raises(UserError) as caught:
        run()
    lines = str(caught.value).splitlines()
    assert len(lines) == 1, lines
    parts = LINE.match(lines[0])
    assert parts, f"not 'file: where: found …, expected …': {lines[0]}"
    assert file in parts["file"], lines[0]
    assert where in lines[0] and words in lines[0], lines[0]


def test_the_lab_has_no_fault(lab):
    load(lab)
    make_cytof(lab)
    make_rna(lab, lab.h5)
    make_rna(lab, lab.folder)


CONFIG = {
    "unknown section": ({"grpah": {}}, "grpah", "(did you mean 'graph'?)"),
    "unknown key": ({"graph": {"resolutoin": 1}}, "graph.resolutoin", "(did you mean 'resolution'?)"),
    "wrong type": ({"graph": {"k": "fifteen"}}, "graph.k", "an integer >= 2"),
    "out of range": ({"cytof": {"features": {"winsor": 99}}}, "cytof.features.winsor", "<= 1"),
    "unknown choice": ({"cytof": {"input_scale": "archsinh"}}, "cytof.input_scale", "(did you mean 'arcsinh'?)"),
    "not a number": ({"rna": {"qc": {"n_mads": float("nan")}}}, "rna.qc.n_mads", "a finite number"),
    "section is a list": ({"rna": ["qc"]}, "rna", "a mapping of keys"),
    "id is a path": ({"cohort": {"id": "../up"}}, "cohort.id", "letters, digits"),
    "id is a number": ({"cohort": {"id": 1}}, "cohort.id", "put it in quotes"),
    "no such sheet": ({"cohort": {"samples": "config/samples/tyni.tsv"}}, "cohort.samples", "tiny.tsv"),
    "no such gates": ({"cytof": {"gates": "resources/gates/n.yaml"}}, "cytof.gates", "nk.yaml"),
    "unset variable": ({"cohort": {"data_root": "${NOT_SET_HERE}/x"}}, "cohort.data_root", "export NOT_SET_HERE="),
    "no such data root": ({"cohort": {"data_root": "no/where"}}, "cohort.data_root", "there is none at"),
    "no panel": ({"cohort": {"panel": None}}, "cohort.panel", "as there are cytof samples"),
    "NK marker not in panel": ({"cytof": {"nk_identity": "CD65"}}, "cytof.nk_identity", "a marker of"),
    "baseline is no time point": (
        {"dynamics": {"baseline_timepoint": "Pre0"}},
        "dynamics.baseline_timepoint",
        "pre, D7",
    ),
}


@pytest.mark.parametrize("fault", CONFIG)
def test_config(lab, fault):
    sections, where, words = CONFIG[fault]
    config = lab.config
    for section, keys in sections.items():
        if isinstance(keys, dict) and section in config:
            config[section].update(keys)
        else:
            config[section] = keys
    (lab.base / "lab.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    one_message(lambda: load(lab), "", where, words)


SHEETS = {
    "sample twice": ("samples", "P1_D7_cytof\t", "P1_pre_cytof\t", "row 3, column sample", "in row 2 too"),
    "sample is a path": ("samples", "P1_D7_cytof\t", "../P1\t", "row 3, column sample", "letters, digits"),
    "sample is markup": ("samples", "P1_D7_cytof\t", "<script>\t", "row 3, column sample", "letters, digits"),
    "sample is a command": ("samples", "P1_D7_cytof\t", "a;reboot\t", "row 3, column sample", "letters, digits"),
    "day is a label": ("samples", "P1\t7\tD7", "P1\tD7\tD7", "row 3, column day", "an integer"),
    "day is broken": ("samples", "P1\t7\tD7", "P1\t7.5\tD7", "row 3, column day", "an integer"),
    "day of another label": ("samples", "P1\t7\tD7", "P1\t8\tD7", "column day", "time point 'D7'"),
    "two baselines": ("samples", "P1\t7\tD7", "P1\t-7\tpre", "row 3, column timepoint", "one baseline per patient"),
    "unknown arm": ("samples", "D7\tCIML\t", "D7\tCIM\t", "row 3, column arm", "(did you mean 'CIML'?)"),
    "unknown tissue": ("samples", "blood", "PBMC", "row 2, column tissue_or_product", "'blood', 'product', 'donor'"),
    "unknown modality": ("samples", "blood\tcytof", "blood\tflow", "row 2, column modality", "'cytof', 'rna'"),
    "no such file": ("samples", "P1_D7_cytof.fcs", "P1_D8_cytof.fcs", "row 3, column path", "mean 'P1_D7_cytof.fcs'"),
    "same file twice": ("samples", "P1_D7_cytof.fcs", "P1_pre_cytof.fcs", "row 3, column path", "row 2 has this"),
    "URL without checksum": ("samples", "P1_D7_cytof.fcs", "http://localhost/a.fcs", "column sha256", "the sha256"),
    "missing column": ("samples", "\tbatch\n", "\tbach\n", "row 1, column bach", "(did you mean 'batch'?)"),
    "ragged row": ("samples", "P1_D7_cytof.fcs\t", "P1_D7_cytof.fcs\tx\t", "row 3", "9 fields as in the header"),
    "negative count": ("counts", "124.3", "-124.3", "row 2, column lymphocytes_per_ul", "a number >= 0"),
    "decimal comma": ("counts", "124.3", "124,3", "row 2, column lymphocytes_per_ul", "with a decimal point"),
    "patient-day twice": ("counts", "P1\t3\t", "P1\t-7\t", "row 3, column day", "one row per patient and day"),
    "unknown patient": ("counts", "P2\t180", "P22\t180", "column patient", "(did you mean 'P2'?)"),
    "unknown count column": ("counts", "nk_per_ul", "nk_per_mL", "column nk_per_mL", "(did you mean 'nk_per_ul'?)"),
    "arm contradicted": ("patients", "P2\tCIML", "P2\tIL2_only", "column arm", "says of patient P2"),
    "channel twice": ("panel", "Cd106Di\tCD19", "Y89Di\tCD19", "row 5, column channel", "row 4 has it too"),
    "marker twice": ("panel", "Cd106Di\tCD19", "Cd106Di\tCD45", "row 5, column marker", "row 4 has it too"),
    "unknown role": ("panel", "CD19\tlineage", "CD19\tlinage", "row 5, column role", "(did you mean 'lineage'?)"),
    "cofactor zero": ("panel", "CD19\tlineage\t5", "CD19\tlineage\t0", "row 5, column cofactor", "a number > 0"),
    "marker misspelt": ("panel", "\tCD62L\t", "\tCD62-L\t", "column marker", "'CD62L', the spelling"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SHEETS)
def test_sheet(lab, fault):
    sheet, old, new, where, words = SHEETS[fault]
    lab.replace(f"{sheet}.tsv", old, new)
    file = "samples.tsv" if fault == "arm contradicted" else f"{sheet}.tsv"
    if fault == "arm contradicted":  # one line for each row of the patient: the last one is cut down to the first
        lab.replace("samples.tsv", "P2_D7_cytof\tP2\t7\tD7\tCIML\tblood\tcytof\tP2_D7_cytof.fcs\tday2\n", "")
    one_message(lambda: load(lab), file, where, words)


def test_sheet_is_empty(lab):
    (lab.base / "samples.tsv").write_bytes(b"")
    one_message(lambda: load(lab), "samples.tsv", "row 1", "a header with the columns sample, patient")


def test_sheet_is_a_workbook(lab):
    (lab.base / "samples.tsv").write_bytes(b"PK\x03\x04" + bytes(100))
    one_message(lambda: load(lab), "samples.tsv", "content", "save the sheet as TSV or CSV")


def events_of(path: Path):
    from cimlnk.cytof.fcs import read_events, read_header

    header = read_header(path)
    return read_events(header), list(header.channels), list(header.markers)


def rewrite(path: Path, change: Callable) -> None:
    """Put `change(events, channels, markers)` in the place of an FCS file."""
    from cimlnk.cytof.fcs_write import write_fcs

    write_fcs(path, *change(*events_of(path)))


def without(channel: str):
    def change(events, channels, markers):
        keep = [i for i, c in enumerate(channels) if c != channel]
        return events[:, keep], [channels[i] for i in keep], [markers[i] for i in keep]

    return change


def no_nk(events, channels, markers):
    events = events.copy()
    for i, marker in enumerate(markers):
        if marker.endswith("CD56") or marker.endswith("CD7"):
            events[:, i] = 0
    return events, channels, markers


FCS = {
    "empty": (lambda p: p.write_bytes(b""), "", ""),
    "not FCS": (lambda p: p.write_text("sample,day\n1,2\n"), "", "FCS"),
    "cut in the header": (lambda p: p.write_bytes(p.read_bytes()[:40]), "", ""),
    "cut in the text": (lambda p: p.write_bytes(p.read_bytes()[:300]), "", ""),
    "cut in the events": (lambda p: p.write_bytes(p.read_bytes()[:100_000]), "", ""),
    "no events": (lambda p: rewrite(p, lambda e, c, m: (e[:0], c, m)), "events", "an FCS file with events"),
    "no CD3": (lambda p: rewrite(p, without("In115Di")), "In115Di (CD3)", "a channel of the file"),
    "transformed": (lambda p: rewrite(p, lambda e, c, m: (np.arcsinh(e / 5), c, m)), "", "cytof.input_scale"),
    "not numbers": (lambda p: rewrite(p, lambda e, c, m: (e * np.nan, c, m)), "", ""),
    "a folder": (lambda p: (p.unlink(), p.mkdir()), "", ""),
}


@pytest.mark.parametrize("fault", FCS)
def test_fcs(lab, fault):
    spoil, where, words = FCS[fault]
    path = lab.fcs(CYTOF[1])
    spoil(path)
    one_message(lambda: make_cytof(lab), path.name if fault != "a folder" else "samples.tsv", where, words)


def test_a_file_without_nk_cells_is_told(lab):
    rewrite(lab.fcs(CYTOF[1]), no_nk)
    one_message(lambda: make_cytof(lab), CYTOF[1], "gat", "")


def mtx(folder: Path, change: Callable[[str], str]) -> None:
    path = folder / "matrix.mtx.gz"
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()).decode()).encode()))


def lines(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    rows = gzip.decompress(file.read_bytes()).decode().splitlines()
    file.write_bytes(gzip.compress(("\n".join(change(rows)) + "\n").encode()))


def fraction(text: str) -> str:
    head, _, last = text.rstrip("\n").rpartition("\n")
    return f"{head.replace('integer', 'real')}\n{last}.5\n"


TENX = {
    "no matrix": (lambda f: (f / "matrix.mtx.gz").unlink(), "matrix.mtx"),
    "no barcodes": (lambda f: (f / "barcodes.tsv.gz").unlink(), "barcodes.tsv"),
    "matrix cut off": (lambda f: (f / "matrix.mtx.gz").write_bytes((f / "matrix.mtx.gz").read_bytes()[:5000]), "gzip"),
    "a barcode too few": (lambda f: lines(f / "barcodes.tsv.gz", lambda rows: rows[:-1]), "barcodes"),
    "a barcode twice": (lambda f: lines(f / "barcodes.tsv.gz", lambda rows: [rows[1], *rows[1:]]), "barcode"),
    "a gene too few": (lambda f: lines(f / "features.tsv.gz", lambda rows: rows[:-1]), ""),
    "mouse": (lambda f: lines(f / "features.tsv.gz", lambda rows: [r.title() for r in rows]), ""),
    "fractions": (lambda f: mtx(f, fraction), "raw integer UMI counts"),
    "negative": (lambda f: mtx(f, lambda t: re.sub(r" (\d+)\n$", r" -\1\n", t)), ""),
    "an empty folder": (lambda f: [p.unlink() for p in f.iterdir()], "matrix.mtx"),
}


@pytest.mark.parametrize("fault", TENX)
def test_10x_folder(lab, fault):
    spoil, words = TENX[fault]
    spoil(lab.folder)
    one_message(lambda: make_rna(lab, lab.folder), lab.folder.name, "", words)


H5 = {
    "empty": (lambda p: p.write_bytes(b""), "0 bytes"),
    "text": (lambda p: p.write_text("gene,cell\n"), "an HDF5 file"),
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:50_000]), ""),
}


@pytest.mark.parametrize("fault", H5)
def test_10x_h5(lab, fault):
    spoil, words = H5[fault]
    spoil(lab.h5)
    one_message(lambda: make_rna(lab, lab.h5), lab.h5.name, "", words)


def h5ad(lab: Lab, change: Callable) -> Path:
    """An h5ad of the 10x file's counts, changed."""
    import anndata

    from cimlnk.rna.read import read_counts

    counts = read_counts(lab.h5)
    data = anndata.AnnData(counts.matrix.astype(np.float32))
    data.obs_names, data.var_names = list(map(str, counts.barcodes)), list(map(str, counts.genes))
    path = lab.base / "raw/a.h5ad"
    change(data).write_h5ad(path)
    return path


def normalised(data):
    data.X = data.X.multiply(1e4 / np.maximum(data.X.sum(axis=1), 1)).tocsr()
    data.X.data = np.log1p(data.X.data)
    return data


def scaled(data):
    dense = data.X.toarray()
    data.X = ((dense - dense.mean(0)) / (dense.std(0) + 1)).astype(np.float32)
    return data


def zero(data):
    data.X = data.X * 0
    return data


H5AD = {
    "normalised": (normalised, "raw integer UMI counts"),
    "scaled": (scaled, "raw integer UMI counts"),
    "only zeros": (zero, "counts above zero"),
    "no NK markers": (lambda d: d[:, d.var_names.str.startswith(("RPL", "RPS"))].copy(), ""),
    "no cells": (lambda d: d[:0].copy(), ""),
}  # fmt: skip


@pytest.mark.parametrize("fault", H5AD)
def test_h5ad(lab, fault):
    change, words = H5AD[fault]
    path = h5ad(lab, change)
    one_message(lambda: make_rna(lab, path), "a.h5ad", "", words)


def test_h5ad_without_the_layer_the_config_names(lab):
    lab.configure(rna={"counts": "layers/spliced"})
    path = h5ad(lab, lambda data: data)
    one_message(lambda: make_rna(lab, path), "a.h5ad", "rna.counts", "layers/spliced")


# Through Snakemake itself, as a user meets them. The workflow's own profile says --keep-going; STOP is without it.
STOP = ("--workflow-profile", "none", "--")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    return copy_checkout(tmp_path_factory.mktemp("checkout"))


def fails(checkout: Path, lab: Lab, *arguments: str) -> str:
    """Snakemake's output; it must have failed without a Python traceback."""
    done = snakemake(checkout, "--cores", "2", "--configfile", str(lab.base / "lab.yaml"), *arguments)
    text = done.stdout + done.stderr
    assert done.returncode != 0, text
    assert "Traceback" not in text, text
    return text


@pytest.mark.slow
def test_snakemake_tells_config_and_sheet_faults_before_anything_runs(checkout, lab):
    lab.configure(graph={"resolutoin": 1})
    text = fails(checkout, lab)
    assert "cimlnk: error in the input, nothing was run" in text
    assert (
        "graph.resolutoin: found 'resolutoin', expected one of the keys" in text and "did you mean 'resolution'" in text
    )
    assert not (checkout / "results/lab").exists()


@pytest.mark.slow
def test_snakemake_tells_all_faults_of_all_sheets_together(checkout, lab):
    lab.replace("samples.tsv", "P1\t7\tD7", "P1\tD7\tD7")
    lab.replace("counts.tsv", "124.3", "-124.3")
    lab.replace("panel.tsv", "CD19\tlineage", "CD19\tlinage")
    text = fails(checkout, lab)
    told = [line for line in text.splitlines() if LINE.match(line) and str(lab.base) in line]
    assert [Path(line.split(": ")[0]).name for line in told] == ["samples.tsv", "counts.tsv", "panel.tsv"]


@pytest.mark.slow
def test_snakemake_names_the_channels_that_files_lack(checkout, lab):
    rewrite(lab.fcs(CYTOF[1]), without("In115Di"))
    text = fails(checkout, lab, *STOP, "results/lab/cohort/samples.parquet")
    assert f"cimlnk: error: {lab.fcs(CYTOF[1])}: panel channel In115Di (CD3): found no such channel" in text


@pytest.mark.slow
def test_snakemake_stops_at_a_corrupt_file(checkout, lab):
    lab.fcs(CYTOF[1]).write_bytes(lab.fcs(CYTOF[1]).read_bytes()[:300])
    text = fails(checkout, lab, *STOP, "results/lab/cytof/summary.parquet")
    assert f"cimlnk: error: {lab.fcs(CYTOF[1])}" in text


@pytest.mark.slow
def test_keep_going_leaves_out_the_bad_samples_and_finishes_the_others(checkout, lab):
    from cimlnk.common.tables import read_table

    shutil.rmtree(checkout / "results/lab", ignore_errors=True)  # of the other runs in this checkout
    bad = lab.fcs(CYTOF[1])
    bad.write_bytes(bad.read_bytes()[:300])
    (lab.folder / "barcodes.tsv.gz").unlink()
    done = snakemake(checkout, "--cores", "2", "--keep-going", "--configfile", str(lab.base / "lab.yaml"))
    text = done.stdout + done.stderr
    assert done.returncode == 0 and "Traceback" not in text, text
    assert f"cimlnk: left out: {bad}" in text
    for modality, left_out, reason in (("cytof", CYTOF[1], bad.name), ("rna", lab.folder.name, "barcodes.tsv")):
        summary = read_table(checkout / f"results/lab/{modality}/summary.parquet").set_index("sample")
        assert summary.index[summary["left_out"]].tolist() == [left_out]
        assert reason in summary.loc[left_out, "reason"]
        assert (summary.loc[~summary["left_out"], "n_nk"] > 0).all()
        assert summary.loc[~summary["left_out"], "reason"].isna().all()
        for page in ("index.html", "quality.html"):
            text = html.unescape((checkout / "results/lab/report" / page).read_text(encoding="utf-8"))
            assert left_out in text and summary.loc[left_out, "reason"] in text, page
