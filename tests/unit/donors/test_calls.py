"""What vireo, souporcell, demuxlet and tables call their cells; and what is no such file."""

from __future__ import annotations

import gzip

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.donors.calls import read_calls

VIREO = """cell\tdonor_id\tprob_max\tprob_doublet\tn_vars\tbest_singlet\tbest_doublet\tdoublet_logLikRatio
AAAC-1\tdonor0\t1.00e+00\t1e-7\t74\tdonor0\tdonor0,donor1\t-10
AAAG-1\tdoublet\t2.00e-01\t8e-1\t74\tdonor0\tdonor0,donor1\t10
AAAT-1\tunassigned\t5.00e-01\t1e-1\t4\tdonor1\tdonor0,donor1\t0
"""
SOUPORCELL = """barcode\tstatus\tassignment\tlog_prob_singleton\tlog_prob_doublet\tcluster0\tcluster1
AAAC-1\tsinglet\t0\t-49.9\t-55.2\t-49.9\t-193.7
AAAG-1\tdoublet\t0/1\t-60\t-50\t-60\t-61
AAAT-1\tunassigned\t1/0\t-9\t-9\t-9.2\t-9
"""
DEMUXLET = """BARCODE\tRD.TOTL\tBEST\tSNG.1ST\tSNG.2ND\tPRB.DBL\tPRB.SNG1
AAACATACCACTCC-1\t9577\tSNG-1079\t1079\t1154\t7.14e-06\t1
AAACATACCGCTAA-1\t2068\tDBL-1079-1154-0.500\t1079\t1154\t1\t1
AAACATACTAACGC-1\t7226\tAMB-1079-1154-1079/1154\t1079\t1154\t0.195\t0.826
AAACATACTAACGG-1\t7226\tSNG-P-01\tP-01\t1154\t0.1\t0.9
"""
POPSCLE = """INT_ID\tBARCODE\tDROPLET.TYPE\tBEST.GUESS\tSNG.BEST.GUESS\tSNG.POSTERIOR
0\tAAAC-1\tSNG\tA,A,0.00\tA\t0.98
1\tAAAG-1\tDBL\tA,B,0.50\tA\t0.6
"""


def save(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("tool", "text", "statuses", "labels"),
    [
        ("vireo", VIREO, "singlet doublet unassigned", ["donor0", None, None]),
        ("souporcell", SOUPORCELL, "singlet doublet unassigned", ["0", None, None]),
        ("demuxlet", DEMUXLET, "singlet doublet ambiguous singlet", ["1079", None, None, "P-01"]),
        ("demuxlet", POPSCLE, "singlet doublet", ["A", None]),
    ],
)
def test_each_program_says_singlet_doublet_or_unsure(tmp_path, tool, text, statuses, labels):
    found = read_calls(save(tmp_path / "calls.tsv", text), tool)
    assert found["status"].tolist() == statuses.split()
    assert found["label"].tolist() == labels  # ids that are numbers stay text


def test_a_gzipped_file_reads_the_same(tmp_path):
    (tmp_path / "donor_ids.tsv.gz").write_bytes(gzip.compress(VIREO.encode()))
    pd.testing.assert_frame_equal(
        read_calls(tmp_path / "donor_ids.tsv.gz", "vireo"), read_calls(save(tmp_path / "d.tsv", VIREO), "vireo")
    )


def test_posteriors_are_taken_or_computed(tmp_path):
    souporcell = read_calls(save(tmp_path / "c.tsv", SOUPORCELL), "souporcell")["probability"]
    # among cluster 0, cluster 1 and the doublet, all as likely beforehand
    logs = np.array([-49.9, -193.7, -55.2])
    assert souporcell[0] == pytest.approx(np.exp(-49.9 - np.logaddexp.reduce(logs)))
    demuxlet = read_calls(save(tmp_path / "d.best", DEMUXLET), "demuxlet")["probability"]
    assert demuxlet[3] == pytest.approx(0.9 * 0.9)


def test_a_column_of_a_table_or_h5ad(tmp_path):
    text = "cell,leiden,who\nAAAC-1,3,D1\nAAAG-1,3,Collision\nAAAT-1,1,NA\nAATT-1,1,ambiguous\n"
    found = read_calls(save(tmp_path / "obs.csv", text), "column", column="who")
    assert found["status"].tolist() == ["singlet", "doublet", "unassigned", "ambiguous"]
    assert found["label"].tolist() == ["D1", None, None, None]
    obs = pd.DataFrame({"who": pd.Categorical(["D1", None])}, index=["AAAC-1", "AAAG-1"])
    ad.AnnData(np.zeros((2, 1), dtype=np.float32), obs=obs).write_h5ad(tmp_path / "obs.h5ad")
    found = read_calls(tmp_path / "obs.h5ad", "column", column="who")
    assert found["barcode"].tolist() == ["AAAC-1", "AAAG-1"] and found["label"].tolist() == ["D1", None]


def test_row_names_as_r_writes_them(tmp_path):
    text = '"who","n"\n"AAAC-1","D1",3\n"AAAG-1","D2",4\n'
    assert read_calls(save(tmp_path / "obs.csv", text), "column", column="who")["label"].tolist() == ["D1", "D2"]


@pytest.mark.parametrize(
    ("tool", "text", "words"),
    [
        ("vireo", SOUPORCELL, "a file of souporcell, expected the columns cell, donor_id"),
        ("souporcell", VIREO.replace("donor_id", "donor"), "no column barcode"),
        ("demuxlet", "a\tb\n1\t2\n", "no column BARCODE"),
        ("vireo", VIREO + "AAAC-1\tdonor1\t1\t0\t1\td\td\t0\n", "every barcode once"),
        ("vireo", VIREO.replace("1.00e+00", "high"), "row 2, column prob_max: found 'high', expected a number"),
        ("vireo", VIREO.replace("\tdonor0\t1.0", "\t\t1.0"), "a donor, doublet or unassigned"),
        ("vireo", VIREO.splitlines()[0] + "\n", "no cells"),
        ("vireo", VIREO[:-30], "is the file whole?"),
        ("souporcell", SOUPORCELL.replace("singlet\t0", "single\t0"), "did you mean 'singlet'?"),
        ("demuxlet", DEMUXLET.replace("SNG-1079", "SINGLET-1079"), "row 2, column BEST: found 'SINGLET'"),
        ("column", "cell,donr\nA,D1\n", "the columns cell, donr, expected a column 'donor' (did you mean 'donr'?)"),
        ("vireo", "", "an empty file"),
        ("vireo", "cells of the patient\n", "separated by tabs or commas"),
        ("column", "cell,donor,donor\nA,D1,D1\n", "every column name once"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(tmp_path, tool, text, words):
    with pytest.raises(UserError) as caught:
        read_calls(save(tmp_path / "calls.tsv", text), tool, file="calls.tsv")
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_cut_gzip_file_is_told(tmp_path):
    (tmp_path / "donor_ids.tsv.gz").write_bytes(gzip.compress(VIREO.encode())[:-20])
    with pytest.raises(UserError, match="a broken gzip file"):
        read_calls(tmp_path / "donor_ids.tsv.gz", "vireo")


def test_a_file_that_is_no_h5ad_is_told(tmp_path):
    with pytest.raises(UserError, match="an h5ad file with obs"):
        read_calls(save(tmp_path / "obs.h5ad", "cell,donor\n"), "column")
