"""What is no file of its kind ends in one line, for every kind of file of flow cytometry, antibodies and donors."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from cimlnk.common.errors import UserError, UserErrors
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.flow.read import read_linear
from cimlnk.cytof.flow.spillover import read_spillover
from cimlnk.cytof.gating.manual import gate_manually
from cimlnk.donors.calls import read_calls
from cimlnk.donors.evidence import read_second
from cimlnk.donors.genotypes import read_vcf
from cimlnk.rna.read_adt import hashtag_cells, read_antibody_file
from flow_files import stained, write_flow

CELLS = np.array(["AAAACCCCGGGGTTTT-1", "CCCCGGGGTTTTAAAA-1"], object)
HEADER = {}
PAGE = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>Your session has ended</body></html>\n"
CONTENT = {
    "nothing": b"",
    "spaces": b" \n\n \n",
    "a web page": PAGE.encode(),
    "binary": bytes(range(256)) * 8,
    "half of a gzip file": gzip.compress(b"barcode\tcall\n" * 500)[:-30],
    "a sentence": b"cells of the patient, second tube",
    "another table": "name\tday\nZelle\tgr\u00f6\u00dfte\n".encode("utf-16"),
}
KINDS = {
    "flow.fcs": read_linear,
    "matrix.csv": lambda path: read_spillover(path, HEADER["flow"]),
    "gates.wsp": lambda path: gate_manually(HEADER["flow"], None, {"file": path}, sample="s", start=None),
    "antibodies.csv": read_antibody_file,
    "antibodies.h5": read_antibody_file,
    "antibodies.tsv.gz": read_antibody_file,
    "hashtags.csv": lambda path: hashtag_cells(path, "HTO1", CELLS),
    "donor_ids.tsv": lambda path: read_calls(path, "vireo"),
    "clusters.tsv": lambda path: read_calls(path, "souporcell"),
    "jy.best": lambda path: read_calls(path, "demuxlet"),
    "donors.csv": lambda path: read_calls(path, "column"),
    "donors.h5ad": lambda path: read_calls(path, "column"),
    "cells.vcf": read_vcf,
    "cells.vcf.gz": read_vcf,
    "second.tsv": lambda path: read_second(path, "second.tsv", "call", antibody=None),
}


@pytest.fixture(scope="module", autouse=True)
def header(tmp_path_factory):
    HEADER["flow"] = read_header(write_flow(tmp_path_factory.mktemp("flow") / "a.fcs", stained(60)))


@pytest.mark.parametrize("content", [*CONTENT, "no file", "a folder"])
@pytest.mark.parametrize("name", KINDS)
def test_no_file_of_its_kind_ends_in_one_line(tmp_path, name, content):
    path = tmp_path / name
    if content == "a folder":
        path.mkdir()
    elif content != "no file":
        path.write_bytes(CONTENT[content])
    with pytest.raises(UserError) as told:
        KINDS[name](Path(path))
    errors = told.value.errors if isinstance(told.value, UserErrors) else [told.value]
    for message in map(str, errors):
        assert "\n" not in message and name in message and "expected" in message and len(message) < 500


@pytest.mark.parametrize("antibody", [None, "level"])
def test_an_independent_call_without_a_row_is_told(tmp_path, antibody):
    (tmp_path / "second.tsv").write_text("barcode\tdonor\tlevel\n")
    with pytest.raises(UserError, match=r"second\.tsv: rows: found 'none', expected a row for every cell"):
        read_second(tmp_path / "second.tsv", "second.tsv", None, antibody=antibody)
