"""Small inputs of others that failed once, one folder a kind: each ends in a right result or in one clear line.

They lie beside the real data (a folder ``cases`` next to ``CIMLNK_TEST_DATA``); without them the tests are skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from cimlnk.common.errors import UserError
from cimlnk.common.yaml_file import read_yaml
from faults import LINE

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data")).parent / "cases"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (CASES / "lab").is_dir(), reason=f"no cases at {CASES} (beside CIMLNK_TEST_DATA)"),
]


def files(folder: str, pattern: str) -> list[str]:
    return sorted(p.name for p in (CASES / folder).glob(pattern))


def one_line(run, *words: str) -> None:
    """`run` ends in messages of the house's form that hold the words."""
    with pytest.raises(UserError) as caught:
        run()
    text = str(caught.value)
    for line in text.splitlines():
        assert LINE.match(line), line
    for word in words:
        assert word in text, text
    assert len(text.splitlines()) <= 3, text


def load(config: dict, name: str = "lab.yaml"):
    """What Snakemake does before anything is run."""
    from cimlnk.cohort.config import resolve
    from cimlnk.cohort.sheets import load_cohort

    cfg = resolve(config, ROOT, name)
    return cfg, load_cohort(cfg, ROOT)


def lab(**sheets: Path) -> dict:
    """The config of the small cohort, with some of its sheets in place of its own."""
    text = (CASES / "lab/lab.yaml").read_text(encoding="utf-8").replace("CASES", str(CASES))
    config = yaml.safe_load(text)
    config["cohort"] |= {kind: str(path) for kind, path in sheets.items()}
    return config


def panel():
    from cimlnk.cytof.panel import load_panel

    return load_panel(CASES / "lab/panel.tsv")


# --- FCS


@pytest.mark.parametrize("name", files("F07", "*.fcs"))
def test_escaped_and_empty_keywords(name):
    from cimlnk.cytof.fcs.header import read_header

    header = read_header(CASES / "F07" / name)
    kir = [m for m in header.markers if "KIR2DL2" in m]
    if name == "both.fcs":
        assert header.text["$FIL"] == "C://data/a.fcs" and header.text["$OP"] == ""
    if name == "empty_pns_and_escaped.fcs":
        assert kir == ["KIR2DL2/L3"] and header.markers[4] == "" and header.markers[5] == "111Cd_CD4"


@pytest.mark.parametrize("name", files("F01", "*.fcs") + ["../F16/greek2.fcs"])
def test_offsets_that_are_off_are_settled_or_refused(name):
    from cimlnk.cytof.fcs.header import read_events, read_header

    true = read_header(CASES / "lab/raw/P1_pre_cytof.fcs")
    expected = read_events(true)
    try:
        found = read_events(read_header(CASES / "F01" / name))
    except UserError as error:
        assert LINE.match(str(error)) and "DATA" in str(error)
        return
    n = min(len(found), len(expected))
    assert n >= 300
    # the greek file has signals of its own; what it must not have is a shifted clock
    assert np.all(np.diff(found[:, 0].astype(float)) >= 0)
    if "greek" not in name:
        np.testing.assert_array_equal(found[:n], expected[:n])


@pytest.mark.parametrize("name", files("P05", "*.fcs"))
def test_markers_and_metals_swapped(name):
    from cimlnk.cytof.fcs.header import read_header
    from cimlnk.cytof.panel import match_panel

    found = match_panel(read_header(CASES / "P05" / name), panel())
    assert found.of_marker("CD56").channel == "CD56" and not found.absent and not found.conflicts


def test_an_antibody_on_another_metal():
    from cimlnk.cytof.fcs.header import read_header
    from cimlnk.cytof.panel import match_panel

    def match(part: str):
        (path,) = [p for p in (CASES / "P03").glob("*.fcs") if part in p.name]
        return match_panel(read_header(path), panel())

    assert match("foreign_marker").conflicts == (("CD56", "Nd145Di", "145Nd_TCRgd"),)
    assert match("synonym").conflicts == ()
    one_line(lambda: match("other_marker"), "145Nd_CD19", "CD56")
    one_line(lambda: match("swapped_metals"), "145Nd_NKG2D")


def test_a_clock_that_stands_still_under_bead_normalisation(tmp_path):
    from cimlnk.cytof.beads.files import normalise_file

    cfg, _ = load(lab())
    settings = cfg["cytof"]["bead_normalisation"] | {"minimum_beads": 11}
    out = {"normalised": tmp_path / "n.fcs", "record": tmp_path / "r.json", "figure": tmp_path / "f.svg"}
    one_line(lambda: normalise_file(CASES / "B05/P1_pre_cytof.fcs", settings=settings, **out), "Time", "clock")


# --- RNA


def counts_of(path: Path) -> tuple[int, int, float]:
    from cimlnk.rna.read import read_counts

    found = read_counts(path)
    return (*found.matrix.shape, float(found.matrix.sum()))


def test_h5ad_of_old_and_of_other_makers():
    assert counts_of(CASES / "R01/counts_in_X.h5ad")[2] > 0
    from cimlnk.rna.read import read_counts

    found = read_counts(CASES / "R02/nan_symbols.h5ad")
    names = [str(g).lower() for g in found.genes]
    assert "nan" not in names and len(set(names)) == len(names)


def test_a_matrix_that_ends_in_a_blank_is_read():
    assert counts_of(CASES / "mtx_trailing")[2] > 0


HOSTILE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from cimlnk.common.errors import UserError
from cimlnk.rna.read import read_counts
try:
    read_counts(sys.argv[1])
except UserError as error:
    print("LINE", error)
except MemoryError:
    print("MEMORY")
"""


@pytest.mark.parametrize("name", [n for n in files("hostile", "*") if n != "README.txt"])
def test_hostile_matrices_end_in_one_line(name):
    run = subprocess.run(
        [sys.executable, "-c", HOSTILE, str(CASES / "hostile" / name)],
        capture_output=True, text=True, timeout=60, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, (run.returncode, run.stderr[-500:])
    first = run.stdout.strip().splitlines()[0]
    # within the memory limit of the job, memory refused is a clear end too (one line, from common.job)
    assert first.startswith("LINE") and LINE.match(first[5:]) or (first == "MEMORY" and "runaway" in name), run.stdout


# --- sheets, keys, matrices and configs

SHEETS = {  # what each file's name says is odd -> words of the message, or None where it is read whole
    "_sample_header__samples.tsv": None,
    "backslashes__samples.tsv": ("row 3", "path", "separated by /"),
    "cp1252_en_dash_and_euro__samples.tsv": None,
    "decimal_comma_covariate__patients.tsv": ("rows 2, 3", "age", "decimal point"),
    "file_name_in_NFD__macOS___sheet_NFC__samples.tsv": ("row 3", "Müller.fcs"),  # the file itself is not given
    "file_with_braces__x___samples.tsv": ("row 3", "P1_{D7}.fcs", "{ and }"),
    "first_column__no__with__1___2______samples.tsv": None,
    "first_column_is_a_formula_that_broke_in_one_row___REF___samples.tsv": ("row 3", "#REF!"),
}


@pytest.mark.parametrize("name", files("sheets", "*.tsv"))
def test_sheets(name):
    kind = name.rsplit("__", 1)[1].removesuffix(".tsv")
    config = lab(**{kind: CASES / "sheets" / name})
    if SHEETS[name] is None:
        assert len(load(config)[1].samples) == 6
        return
    one_line(lambda: load(config), *SHEETS[name])


KEYS = {"empty_rows_named.csv": ("empty_1", "no metal"), "names_with_blanks.csv": ("P1 D7 A1", "20 in all")}
MATRICES = {"NA.csv": ("Nd142Di", "'NA'"), "latin1.csv": ("row 5", "1 cells")}
CONFIGS = {
    "again.yaml": ("cytof.spillover.single_stains", "/nope/s.fcs"),
    "fresh.yaml": ("cytof.spillover.single_stains", "/nope/s.fcs"),
    "late2.yaml": ("cytof.spillover.matrix", "/nope/m.csv"),
    "spillover_missing.yaml": ("cytof.spillover.matrix", "/nope/m.csv"),
    "curly.yaml": ("cohort.id", "“lab”"),
    "latin1.yaml": ("line 5", "München", "UTF-8"),
    "nbsp.yaml": ("line 2", "no-break space"),
    "utf16.yaml": ("UTF-8",),
    "dup.yaml": ("line 12", "'rna'", "line 8"),
    "agee.yaml": ("agee", "age"),
    "comma.yaml": ("patients_comma.tsv", "column age", "decimal point"),
}


@pytest.mark.parametrize("name", files("B01", "*.csv"))
def test_debarcoding_keys(name):
    from cimlnk.cytof.barcodes.key import read_key

    if name in KEYS:
        one_line(lambda: read_key(CASES / "B01" / name), *KEYS[name])
        return
    found, true = read_key(CASES / "B01" / name), read_key(CASES / "B01/original.csv")
    assert found.samples == true.samples and found.masses == true.masses
    np.testing.assert_array_equal(found.code, true.code)


@pytest.mark.parametrize("name", files("B03", "*.csv"))
def test_spillover_matrices(name):
    from cimlnk.cytof.spillover.matrix import read_matrix

    if name in MATRICES:
        one_line(lambda: read_matrix(CASES / "B03" / name), *MATRICES[name])
        return
    np.testing.assert_allclose(read_matrix(CASES / "B03" / name), read_matrix(CASES / "B03/plain.csv"))


@pytest.mark.parametrize("name", [f"{d}/{n}" for d in ("C01", "C02", "D03") for n in files(d, "*.yaml")])
def test_configs(name, tmp_path):
    from cimlnk.front.early import check_early

    path = tmp_path / Path(name).name
    path.write_bytes((CASES / name).read_bytes().replace(b"CASES", str(CASES).encode()))

    def check():
        cfg, cohort = load(read_yaml(path), path.name)
        check_early(cfg, [*cohort.samples.columns, *cohort.patients.columns], ROOT)

    if path.name in CONFIGS:
        one_line(check, *CONFIGS[path.name])
    else:
        check()
