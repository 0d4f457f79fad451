"""Parameters of the synthetic cohorts, estimated from real files: shapes of marker channels, shifts, counts of genes.

    CIMLNK_TEST_DATA=… ./run python benchmarks/simulate_parameters.py     # writes resources/simulate/measured_*.tsv

Lineages are taken by fixed cuts on several markers, so that what is left is clean rather than complete: only the shapes
of the channels within a lineage are read, never how many cells it has. Numbers only are written, no cell.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import flowio
import numpy as np
import pandas as pd
from scipy.optimize import brentq

from simulate_genes import gene_levels, named_genes, programmes, rna

OUT = Path(__file__).resolve().parents[1] / "resources/simulate"

TECHNICAL = (
    *("Time", "Event_length", "Cell_length", "DNA", "Bead", "BC", "Ba", "Pt", "Center", "Offset", "Width", "Residual"),
)

OTHERS = ("Ir", "Xe", "Cs", "Ba", "Sn", "Pb", "BCKG", "Rh", "Live", "Dead", "beadDist")

Cuts = Callable[[pd.DataFrame], dict[str, pd.Series]]


def read(path: Path) -> pd.DataFrame:
    """Counts of a file by marker: the part of ``$PnS`` behind the metal, or ``$PnN``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = flowio.FlowData(str(path), ignore_offset_error=True)
    values = np.reshape(data.events, (data.event_count, -1))
    names = []
    for short, long in zip(data.pnn_labels, data.pns_labels, strict=True):
        name = (long.strip() or short).split("(")[0]
        names.append(name.split("_")[1] if name[:1].isdigit() and "_" in name else name)
    table = pd.DataFrame(values, columns=names, dtype=np.float32).rename(columns={"HLADR": "HLA-DR", "Tbet": "T-bet"})
    return table.loc[:, ~table.columns.duplicated()]


def cytonorm(a: pd.DataFrame) -> dict[str, pd.Series]:
    nk = (a["CD3"] < 1.5) & (a["CD7"] > 2.5) & (a["CD14"] < 1.5) & (a["HLA-DR"] < 2) & (a["CD45"] > 2)
    granulocyte = (a["CD15"] > 2) & (a["CD66"] > 1.5) & (a["CD3"] < 2) & (a["HLA-DR"] < 2) & (a["CD14"] < 2.5)
    return {
        "NK": nk,
        "T": (a["CD3"] > 3) & (a["CD14"] < 2) & (a["HLA-DR"] < 3),
        "monocyte": (a["CD14"] > 2.5) & (a["CD3"] < 2) & (a["HLA-DR"] > 3),
        "granulocyte": granulocyte,
    }


def mdipa(a: pd.DataFrame) -> dict[str, pd.Series]:
    live = (a["CD45"] > 3) & (a["Bead"] < 3)
    nk = live & (a["CD3"] < 2) & (a["CD19"] < 2) & (a["CD14"] < 2.5) & (a["CD20"] < 2) & (a["CD56"] > 2.5)
    t = live & (a["CD3"] > 3) & (a["CD14"] < 2.5)
    return {
        "NK": nk & (a["HLA-DR"] < 4),
        "CD4_T": t & (a["CD4"] > 3) & (a["CD20"] < 2.5),
        "CD8_T": t & (a["CD8a"] > 3.3) & (a["CD4"] < 2),
        "B": live & (a["CD3"] < 2) & (a["CD19"] > 3) & (a["CD20"] > 2),
        "monocyte": live & (a["CD14"] > 4) & (a["CD3"] < 2) & (a["HLA-DR"] > 3),
    }


def imubac(a: pd.DataFrame) -> dict[str, pd.Series]:
    nk = (a["CD7"] > 2.2) & (a["CD14"] < 1) & (a["CD11b"] > 1) & (a["HLA-DR"] < 3)
    return {
        "NK": nk & ((a["CD56"] > 1.5) | (a["CD16"] > 1.5)),
        "monocyte": (a["CD14"] > 1.5) & (a["HLA-DR"] > 2) & (a["CD33"] > 1),
        "DC": (a["HLA-DR"] > 4) & (a["CD14"] < 1) & (a["CD11c"] > 3) & (a["CD16"] < 1),
    }


def bcrxl(a: pd.DataFrame) -> dict[str, pd.Series]:
    return {
        "NK": (a["CD7"] > 2.5) & (a["CD3"] < 1.5) & (a["CD14"] < 1.5) & (a["CD20"] < 1.5),
        "T": (a["CD3"] > 2.5) & (a["CD14"] < 1.5) & (a["CD20"] < 1.5),
        "B": (a["CD20"] > 3) & (a["CD3"] < 1.5),
        "monocyte": (a["CD14"] > 2) & (a["CD3"] < 1.5),
    }


# set, files, cuts, and of a file's name the parts that name its batch and its donor
SETS: dict[str, tuple[str, Cuts, Callable[[str], tuple[str, str]]]] = {
    "cytof_batch_cytonorm": ("*.fcs", cytonorm, lambda n: (n.split("_")[1], n.split("_")[-1])),
    "cytof_mdipa_raw_beads": ("raw_cytof.fcs", mdipa, lambda n: ("one", "one")),
    "cytof_imubac_2batches": ("fcs/*.fcs", imubac, lambda n: (n.split("_")[0], n.split("_")[-1])),
    "cytof_bcrxl": ("fcs/*eference*.fcs", bcrxl, lambda n: ("one", n)),
}


def antigen(name: str) -> bool:
    """Whether a channel is a surface or transcription-factor antigen."""
    phospho = name[:1] == "p" and name[1:2].isupper()
    if not name.strip() or name[:1].isdigit() or phospho or name.startswith(TECHNICAL):
        return False
    return not name.endswith("Di") and not name.rstrip("0123456789").endswith(OTHERS)


def overdispersion(counts: np.ndarray) -> tuple[float, float]:
    """Mean (upper 2 % clipped), and the gamma shape with which a gamma–Poisson has as many zeros (NaN without)."""
    zero, mean = float((counts <= 0.5).mean()), float(np.minimum(counts, np.quantile(counts, 0.98)).mean())
    if not 0 < zero < 1 or np.exp(-mean) >= zero:
        return mean, np.nan

    def gap(log_k: float) -> float:
        k = np.exp(log_k)
        return float(k * (log_k - np.log(k + mean)) - np.log(zero))

    return mean, float(np.exp(brentq(gap, -8, 12)))


def shapes_and_shifts(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per set, batch, lineage and marker; and standard deviations of shifts between files."""
    shapes, shifts = [], []
    for name, (pattern, cuts, parts) in SETS.items():
        batches: dict[str, list[pd.DataFrame]] = {}
        medians = []
        for path in sorted((folder / name).glob(pattern)):
            batch, donor = parts(path.stem)
            counts = read(path)
            batches.setdefault(batch if name.startswith("cytof_imubac") else "all", []).append(counts)
            scaled = np.arcsinh(counts / 5)
            for lineage, keep in cuts(scaled).items():
                if keep.sum() >= 30:
                    level = scaled.loc[keep, [c for c in scaled if antigen(c)]].median()
                    medians += [(batch, donor, lineage, marker, v) for marker, v in level.items() if v > 1.5]
        for batch, files in batches.items():
            counts = pd.concat(files, ignore_index=True)
            scaled = np.arcsinh(counts / 5)
            for lineage, keep in cuts(scaled).items():
                for marker in (c for c in counts if antigen(c)):
                    v = counts.loc[keep, marker].to_numpy()
                    if len(v) < 100 or np.isnan(v).any():
                        continue
                    s = np.arcsinh(np.maximum(v, 0) / 5)
                    middle = np.quantile(s, [0.05, 0.5, 0.95])
                    counted = overdispersion(np.maximum(v, 0))
                    shapes.append((name, batch, lineage, marker, len(v), (v <= 0.5).mean(), *middle, s.std(), *counted))
        shifts += _shifts(name, pd.DataFrame(medians, columns=["batch", "donor", "lineage", "marker", "level"]))
    columns = [
        "set",
        "batch",
        "lineage",
        "marker",
        "n_cells",
        "zeros",
        "q05",
        "median",
        "q95",
        "sd",
        "mean_counts",
        "shape",
    ]
    return pd.DataFrame(shapes, columns=columns), pd.DataFrame(
        shifts, columns=["set", "shift", "sd_arcsinh", "n_markers"]
    )


def _shifts(name: str, table: pd.DataFrame) -> list[tuple[str, str, float, int]]:
    """Standard deviations between batches (same donors) or donors: of all channels together, and of each its own."""
    result = []
    for what in ("batch", "donor"):
        wide = table.groupby([what, "lineage", "marker"])["level"].mean().unstack(what)
        if name.startswith("cytof_imubac") and what == "batch":
            what = "batch and donors nested in it"
        wide = wide.dropna(axis=1, thresh=len(wide) // 2).dropna()
        if wide.shape[1] < 2 or len(wide) < 3:
            continue
        off = wide.sub(wide.mean(axis=1), axis=0)
        together = off.mean(axis=0)
        own = off.sub(together, axis=1)
        result.append((name, f"{what}: all channels together", float(together.std(ddof=1)), len(wide)))
        result.append(
            (
                name,
                f"{what}: a channel's own",
                float(np.sqrt((own**2).to_numpy().sum() / ((wide.shape[1] - 1) * len(wide)))),
                len(wide),
            )
        )
    return result


def main() -> None:
    folder = Path(os.environ["CIMLNK_TEST_DATA"])
    shapes, shifts = shapes_and_shifts(folder)
    axes = programmes(folder)
    known = set(pd.read_csv(folder / "scrna_combat_covid/H00049/features.tsv.gz", sep="\t", header=None)[1])
    axes = axes[axes["gene"].isin(known)]
    levels = gene_levels(folder, {*axes["gene"], *(named_genes() & known)})
    for name, table in (("programmes", axes), ("genes", levels)):
        table.to_csv(OUT / f"{name}.tsv", sep="\t", index=False, float_format="%.3g", lineterminator="\n")
        print(f"{name}.tsv: {len(table)} rows")
    for name, table in (("shapes", shapes), ("shifts", shifts), ("rna", rna(folder))):
        table.to_csv(OUT / f"measured_{name}.tsv", sep="\t", index=False, float_format="%.3g", lineterminator="\n")
        print(f"measured_{name}.tsv: {len(table)} rows")


if __name__ == "__main__":
    main()
