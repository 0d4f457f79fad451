"""A modality without any usable file: under --keep-going its steps end without rows, and no run stops at it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cimlnk.cohort.config import resolve
from cimlnk.cohort.tables import SAMPLES
from cimlnk.common.errors import UserError
from cimlnk.common.job import KEEP_GOING
from cimlnk.common.tables import read_table, write_table
from cimlnk.export.h5ad import export_h5ad
from cimlnk.front.warnings import write_warnings
from cimlnk.graph.figure import make_figure
from cimlnk.graph.files import make_clusters, make_graph, make_umap
from cimlnk.populations.name import write_populations
from cimlnk.populations.pseudobulk import write_pseudobulk
from cimlnk.populations.state import write_state

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("a", "b")
REASON = UserError("a.fcs", "TEXT segment", "nothing", "keywords")


@pytest.fixture
def cfg():
    return resolve({"cohort": {"id": "t", "samples": "config/samples/demo.tsv"}}, ROOT)


def left_out(modality: str, folder: Path) -> list[str]:
    """The samples of a modality as their jobs leave them out, and their sheet."""
    files = [str(folder / f"{name}.h5ad") for name in NAMES]
    for name, file in zip(NAMES, files, strict=True):
        if modality == "cytof":
            from cimlnk.cytof.cells import leave_out

            leave_out(REASON, output=file, gates=folder / "gates.parquet")
        else:
            from cimlnk.rna.cells import leave_out as leave_out_rna

            leave_out_rna(REASON, sample=name, output=file, gates=str(folder / "gates.parquet"))
    rows = [
        {"sample": name, "patient": "P1", "day": day, "timepoint": f"D{day}", "arm": "CIML",
         "tissue_or_product": "blood", "modality": modality, "path": f"{name}.fcs", "batch": "b", "sha256": None}
        for day, name in enumerate(NAMES)
    ]  # fmt: skip
    write_table(pd.DataFrame(rows), folder / "sheet.parquet", SAMPLES)
    return files


def features(modality: str, cells: list[str], folder: Path, cfg, *, others: bool) -> None:
    places = {"cell_table": folder / "cells.parquet", "features": folder / "features.npy"}
    places |= {"summary": folder / "summary.parquet", "report": folder / "features.json"}
    if modality == "cytof":
        from cimlnk.cytof.features import make_features

        make_features(cells=cells, sample_names=NAMES, settings=cfg["cytof"], provenance={}, others=others, **places)
    else:
        from cimlnk.rna.features import make_features as make_features_rna

        own = {k: str(v) for k, v in places.items()}
        definitions, lineages = cfg["populations"]["rna"]["definitions"], cfg["rna"]["lineages"]
        make_features_rna(
            cells=cells, samples=str(folder / "sheet.parquet"), lineages=lineages, definitions=definitions,
            settings=cfg["rna"], seed=1, provenance={}, others=others, **own,
        )  # fmt: skip


@pytest.mark.parametrize("modality", ["cytof", "rna"])
def test_steps_of_a_modality_without_a_usable_file_end_without_rows(modality, cfg, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    cells, at = left_out(modality, tmp_path), {p: str(tmp_path / p) for p in ("sheet.parquet", "cells.parquet")}
    for going, others in (("0", True), ("1", False)):
        monkeypatch.setenv(KEEP_GOING, going)
        with pytest.raises(UserError, match="expected at least one"):
            features(modality, cells, tmp_path, cfg, others=others)
    features(modality, cells, tmp_path, cfg, others=True)
    summary = read_table(tmp_path / "summary.parquet")
    assert summary["left_out"].all() and set(summary["reason"]) == {str(REASON)} and not summary["n_nk"].any()

    with pytest.raises(UserError, match="none of 2 that can be used"):  # and where it is the only one
        write_warnings(
            root=tmp_path, files=[tmp_path / "summary.parquet"], baseline="pre", output=tmp_path / "w.parquet",
            availability=tmp_path / "v.parquet", provenance={},
        )  # fmt: skip

    def place(name: str) -> str:
        return str(tmp_path / name)

    how = {"settings": cfg["graph"], "seed": 1, "threads": 1, "provenance": {}}
    make_graph(place("features.npy"), place("graph.npz"), place("graph.json"), **how)
    tables = {k: place(f"{k}.parquet") for k in ("clusters", "resolutions", "support")} | {"report": place("c.json")}
    make_clusters(place("features.npy"), at["cells.parquet"], place("graph.npz"), **how, **tables)
    make_umap(place("features.npy"), at["cells.parquet"], place("graph.npz"), **how, umap=place("umap.parquet"))
    make_figure(tables["resolutions"], tables["report"], place("resolutions.svg"))
    names = ("annotation", "populations", "profiles", "thresholds", "overridden")
    write_populations(
        samples=cells, sheet=at["sheet.parquet"], cells=at["cells.parquet"], clusters=tables["clusters"],
        support=tables["support"], graph=place("graph.npz"), matrix=place("features.npy"), reference=None,
        definitions=cfg["populations"][modality]["definitions"], modality=modality, seed=1, threads=1, provenance={},
        settings={"infused": True, "panel": {}, "overrides": [], "override_sheet": None},
        **{name: place(f"{name}.parquet") for name in names},
    )  # fmt: skip
    assert all(read_table(place(f"{name}.parquet")).empty for name in names)
    named = place("populations.parquet")
    write_state(
        sample_files=cells, sheet=at["sheet.parquet"], populations=named, thresholds=place("thresholds.parquet"),
        features=["NKG7"] if modality == "rna" else None, state=place("state.parquet"), provenance={},
    )  # fmt: skip
    assert read_table(place("state.parquet")).empty
    if modality == "rna":
        write_pseudobulk(sample_files=cells, populations=named, output=place("pseudobulk.h5ad"), provenance={})
    export_h5ad(
        modality=modality, samples=cells, cells=at["cells.parquet"], populations=named, umap=place("umap.parquet"),
        features=place("features.npy"), feature_report=place("features.json"), graph=place("graph.npz"),
        raw=cells if modality == "rna" else [], sheet=at["sheet.parquet"], patients=None, cellxgene=None, title="t",
        output=place("export.h5ad"), provenance={},
    )  # fmt: skip
