"""Real single-cell data: NK cells found as their annotators found them; normalised data refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from cimlnk.common.errors import UserError
from cimlnk.rna.cells import make_cells
from cimlnk.rna.read import read_counts

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CIMLNK_TEST_DATA", ROOT.parent / "shared" / "data"))
LINEAGES = ROOT / "resources/signatures/contaminants.yaml"

pytestmark = pytest.mark.real


def source(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is absent: set CIMLNK_TEST_DATA")
    return path


def defaults(schema: dict) -> dict:
    if schema.get("type") == "object":
        return {k: defaults(v) for k, v in schema["properties"].items()}
    return schema["default"]


def test_nk_cells_of_pbmc3k_agree_with_its_labels(tmp_path):
    """The labels (155 NK of 2,638) come from clustering by hand; cytotoxic T cells are the close neighbours."""
    import anndata as ad

    path = source("scrna_pbmc3k_labelled/pbmc3k_counts_labels.h5ad")
    make_cells(
        raw=str(path),
        sample="pbmc3k",
        lineages=str(LINEAGES),
        settings=defaults(yaml.safe_load((ROOT / "workflow/schemas/config/rna.schema.yaml").read_text())),
        seed=1,
        output=str(tmp_path / "a.h5ad"),
        gates=str(tmp_path / "a.parquet"),
        provenance={},
    )
    labels = ad.read_h5ad(path, backed="r").obs["cell_type"].astype(str)
    truth = {f"pbmc3k:{b}" for b in labels.index[labels == "NK"]}
    found = set(ad.read_h5ad(tmp_path / "a.h5ad").obs_names)
    f1 = 2 * len(truth & found) / (len(truth) + len(found))
    assert f1 >= 0.9
    # What is called NK beyond the labels are their cytotoxic T cells, never B cells or monocytes.
    others = labels[[c.split(":")[1] for c in found - truth]]
    assert set(others) <= {"CD8 T"}


def test_log_normalised_data_are_refused_by_name():
    path = source("scrna_pbmc_3tech_labelled/pbmc_3tech_lognorm.h5ad")
    with pytest.raises(UserError, match=r"no raw counts: X holds .* log-normalised\?, expected raw integer UMI counts"):
        read_counts(path)
