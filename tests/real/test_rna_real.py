"""Real single-cell data: NK cells found as their annotators found them; normalised data refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from cimlnk.common.errors import UserError
from cimlnk.rna.cells import make_cells
from cimlnk.rna.read import read_counts
from real_data import source

ROOT = Path(__file__).parents[2]
LINEAGES = ROOT / "resources/signatures/contaminants.yaml"

pytestmark = pytest.mark.real


def defaults(schema: dict) -> dict:
    if schema.get("type") == "object":
        return {k: defaults(v) for k, v in schema["properties"].items()}
    return schema["default"]


def nk_cells(path: Path, folder: Path) -> set[str]:
    """Barcodes of the NK cells that rule rna_cells keeps, with the shipped defaults."""
    import anndata as ad

    make_cells(
        raw=str(path),
        sample="s",
        lineages=str(LINEAGES),
        settings=defaults(yaml.safe_load((ROOT / "workflow/schemas/config/rna.schema.yaml").read_text())),
        seed=1,
        output=str(folder / "a.h5ad"),
        gates=str(folder / "a.parquet"),
        provenance={},
    )
    return {name.removeprefix("s:") for name in ad.read_h5ad(folder / "a.h5ad", backed="r").obs_names}


def f1(truth: set[str], found: set[str]) -> float:
    return 2 * len(truth & found) / (len(truth) + len(found))


def test_nk_cells_of_pbmc3k_agree_with_its_labels(tmp_path):
    """The labels (155 NK of 2,638) come from clustering by hand; cytotoxic T cells are the close neighbours."""
    import anndata as ad

    path = source("scrna_pbmc3k_labelled/pbmc3k_counts_labels.h5ad")
    labels = ad.read_h5ad(path, backed="r").obs["cell_type"].astype(str)
    truth = set(labels.index[labels == "NK"])
    found = nk_cells(path, tmp_path)
    assert f1(truth, found) >= 0.9
    # What is called NK beyond the labels are their cytotoxic T cells, never B cells or monocytes.
    assert set(labels[list(found - truth)]) <= {"CD8 T"}


def test_nk_cells_of_a_cite_seq_sample_agree_with_its_proteins(tmp_path):
    """The labels (213 NK of 1,372) were gated on CD3, CD56 and CD16 by its authors; 190 they call unknown."""
    labels = pd.read_csv(source("citeseq_brem_inhouse/labels.csv"), index_col=0)["trueType"]
    truth = set(labels.index[labels == "NK cells"])
    found = nk_cells(source("citeseq_brem_inhouse/filtered_feature_bc_matrix.h5"), tmp_path)
    assert f1(truth, found - set(labels.index[labels == "unknown"])) >= 0.9


def test_adaptive_cells_with_cd3_chains_stay_nk_cells(tmp_path):
    """S00016 has many adaptive NK cells: CD3D or CD3G with KLRF1 and TYROBP, and no TRAC, CD5, CD28 or IL7R."""
    import anndata as ad

    path = source("scrna_combat_covid/S00016")
    found = nk_cells(path, tmp_path)
    cells = ad.read_h5ad(tmp_path / "a.h5ad")
    shown = {g: np.asarray(cells[:, g].layers["counts"].todense()).ravel() > 0 for g in ("CD3D", "CD3G", "TRAC")}
    adaptive = (shown["CD3D"] | shown["CD3G"]) & ~shown["TRAC"]
    assert len(found) >= 185 and adaptive.sum() >= 25


def test_log_normalised_data_are_refused_by_name():
    path = source("scrna_pbmc_3tech_labelled/pbmc_3tech_lognorm.h5ad")
    with pytest.raises(UserError, match=r"no raw counts: X holds .* log-normalised\?, expected raw integer UMI counts"):
        read_counts(path)
