"""How well scRNA samples become NK cells: planted cells of the demo cohort, and spiked doublets in real blood.

    PYTHONPATH=workflow python benchmarks/rna.py [--size demo] [--data ../shared/data]

Prints one table per question; nothing is written. `--data` is the folder that holds scrna_pbmc3k_labelled (skipped with
a word if absent).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import scipy.sparse as sp
import yaml

from cimlnk.rna.cells import make_cells
from cimlnk.rna.doublets import find_doublets
from cimlnk.rna.read import read_counts
from cimlnk.simulate import design
from cimlnk.simulate.rna import simulate_sample
from cimlnk.simulate.tenx import write_10x_h5

ROOT = Path(__file__).parents[1]
PBMC3K = "scrna_pbmc3k_labelled/pbmc3k_counts_labels.h5ad"


def defaults(schema: dict[str, Any]) -> Any:
    if schema.get("type") == "object":
        return {k: defaults(v) for k, v in schema["properties"].items()}
    return schema["default"]


SETTINGS = defaults(yaml.safe_load((ROOT / "workflow/schemas/config/rna.schema.yaml").read_text()))


def nk_cells(raw: Path, sample: str, folder: Path, *, method: str) -> tuple[set[str], float]:
    """Barcodes kept as NK cells, and the CPU seconds it took."""
    started = time.process_time()
    make_cells(
        raw=str(raw),
        sample=sample,
        lineages=str(ROOT / "resources/signatures/contaminants.yaml"),
        settings=SETTINGS | {"doublets": SETTINGS["doublets"] | {"method": method}},
        seed=1,
        output=str(folder / "cells.h5ad"),
        gates=str(folder / "gates.parquet"),
        provenance={},
    )
    used = time.process_time() - started
    return {str(c).split(":", 1)[1] for c in ad.read_h5ad(folder / "cells.h5ad").obs_names}, used


def planted(size: str, folder: Path) -> pd.DataFrame:
    """Precision and recall of NK cells, and recall of planted doublets, per doublet method."""
    rows = []
    for sample in design.samples(size, 1):
        if sample.modality != "rna":
            continue
        counts, barcodes, truth = simulate_sample(size, 1, sample)
        write_10x_h5(folder / "raw.h5", counts, barcodes)
        label = truth.set_index("barcode")["class"]
        for method in ("none", "scrublet", "mixture"):
            kept, cpu = nk_cells(folder / "raw.h5", sample.id, folder, method=method)
            found = label.index.isin(list(kept))
            nk = (label == "NK").to_numpy()
            others = set(label[found & ~nk]) - {"doublet"}
            hit = int((found & nk).sum())
            rows.append((method, sample.id, hit / found.sum(), hit / nk.sum(), ", ".join(sorted(others)), cpu))
    table = pd.DataFrame(rows, columns=["doublets", "sample", "precision", "recall", "other cells kept", "cpu_s"])
    by = table.groupby("doublets", sort=False)
    return pd.DataFrame(
        {
            "samples": by.size(),
            "precision": by["precision"].mean(),
            "least": by["precision"].min(),
            "recall": by["recall"].mean(),
            "least ": by["recall"].min(),
            "other single cells kept": by["other cells kept"].agg(lambda v: " ".join(sorted(set(v))).strip() or "none"),
            "cpu_s median": by["cpu_s"].median(),
        }
    ).round(3)


def spiked(data: Path) -> pd.DataFrame:
    """Sums of two random real cells among real cells: how many are called, and how many of the others."""
    counts = read_counts(data / PBMC3K).matrix
    n = counts.shape[0]
    rows = []
    for share in (0.0, 0.01, 0.02, 0.05, 0.10):
        random = np.random.default_rng(5)
        m = round(share * n)
        sums = counts[random.integers(0, n, m)] + counts[random.integers(0, n, m)]
        mixed = sp.csr_matrix(sp.vstack([counts, sums])) if m else counts
        for method in ("scrublet", "mixture"):
            found = find_doublets(mixed, SETTINGS["doublets"] | {"method": method}, 1, sample="pbmc3k")
            inside, spike = found.score[:n], found.score[n:]
            area = float(np.mean(spike[:, None] > inside[None, :])) if m else np.nan
            called = found.called[n:].mean() if m else np.nan
            rows.append((share, method, found.share, called, found.called[:n].mean(), area))
    columns = ["spiked", "method", "share estimated", "spiked ones called", "others called", "area under ROC"]
    return pd.DataFrame(rows, columns=columns).round(3)


def labelled(data: Path, folder: Path) -> str:
    """NK cells of PBMC 3k against the labels."""
    kept, cpu = nk_cells(data / PBMC3K, "pbmc3k", folder, method="mixture")
    label = ad.read_h5ad(data / PBMC3K, backed="r").obs["cell_type"].astype(str)
    nk = set(label.index[label == "NK"])
    hit = len(kept & nk)
    return (
        f"precision {hit / len(kept):.3f}, recall {hit / len(nk):.3f}, F1 {2 * hit / (len(kept) + len(nk)):.3f}, "
        f"{cpu:.1f} CPU s; kept beyond the label: {label[sorted(kept - nk)].value_counts().to_dict()}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="demo")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"NK cells of the {options.size} cohort\n{planted(options.size, folder).to_string()}\n")
        if not (options.data / PBMC3K).exists():
            print(f"{options.data / PBMC3K} is absent: real cells skipped")
            return
        print(f"Doublets spiked into PBMC 3k\n{spiked(options.data).to_string(index=False)}\n")
        print(f"NK cells of PBMC 3k: {labelled(options.data, folder)}")


if __name__ == "__main__":
    main()
