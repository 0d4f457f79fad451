"""The files behind a 10x folder, as a rule depends on them and as a job finds its way back."""

from __future__ import annotations

import pytest

from cimlnk.rna.folder import input_files, source_of
from cimlnk.rna.read import read_counts


@pytest.mark.parametrize("inside", ["", "outs/filtered_feature_bc_matrix"])
@pytest.mark.parametrize("prefix", ["", "GSM1_a_"])
def test_a_10x_folder_stands_for_its_three_files(tmp_path, blood, make, inside, prefix):
    folder = make.mtx(tmp_path / "s" / inside, blood, prefix=prefix)
    if inside:
        make.mtx(tmp_path / "s/outs/raw_feature_bc_matrix", blood)
    files = input_files(str(tmp_path / "s"))
    names = ("matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz")
    assert files == [str(folder / f"{prefix}{name}") for name in names]
    found = read_counts(source_of(files))
    assert found.matrix.shape[0] == blood.counts.shape[0]
    assert (found.matrix != read_counts(tmp_path / "s").matrix).nnz == 0


def test_files_stand_for_themselves(tmp_path, blood, make):
    path = str(make.h5(tmp_path / "s.h5", blood, 3))
    assert input_files(path) == [path] and source_of([path]) == path


@pytest.mark.parametrize("gone", ["matrix", "barcodes", "features"])
def test_a_folder_that_lacks_a_file_stands_for_itself_so_that_its_job_tells(tmp_path, blood, make, gone):
    folder = make.mtx(tmp_path / "s", blood)
    next(folder.glob(f"{gone}*")).unlink()
    assert input_files(str(folder)) == [str(folder)] and source_of([str(folder)]) == str(folder)
