"""What users get wrong in config and sheets: one message that names the place, what was found and what was expected."""

from __future__ import annotations

import pytest
import yaml

from faults import load, one_message

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
    one_message(lambda: load(lab), "", where, words=words)


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
    "unknown modality": ("samples", "blood\tcytof", "blood\tmass", "row 2, column modality", "'cytof', 'flow', 'rna'"),
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
    "marker by two names": ("panel", "\tCD62L\t", "\tNCAM1\t", "column marker", "'NCAM1', the same marker,"),
}  # fmt: skip


@pytest.mark.parametrize("fault", SHEETS)
def test_sheet(lab, fault):
    sheet, old, new, where, words = SHEETS[fault]
    lab.replace(f"{sheet}.tsv", old, new)
    file = "samples.tsv" if fault == "arm contradicted" else f"{sheet}.tsv"
    if fault == "arm contradicted":  # one line for each row of the patient: the last one is cut down to the first
        lab.replace("samples.tsv", "P2_D7_cytof\tP2\t7\tD7\tCIML\tblood\tcytof\tP2_D7_cytof.fcs\tday2\n", "")
    one_message(lambda: load(lab), file, where, words=words)


def test_sheet_is_empty(lab):
    (lab.base / "samples.tsv").write_bytes(b"")
    one_message(lambda: load(lab), "samples.tsv", "row 1", words="a header with the columns sample, patient")


def test_sheet_is_a_damaged_workbook(lab):
    (lab.base / "samples.tsv").write_bytes(b"PK\x03\x04" + bytes(100))
    one_message(lambda: load(lab), "samples.tsv", "content", words="a damaged workbook")
