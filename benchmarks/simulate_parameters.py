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
from scipy import sparse
from scipy.io import mmread
from scipy.optimize import brentq

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


def rna(folder: Path) -> pd.DataFrame:
    """Depth, dispersion and levels of genes in NK cells and other lineages of two labelled or markable sets."""
    import anndata

    rows: list[tuple[str, str, str, float]] = []
    parts = {}
    labelled = anndata.read_h5ad(folder / "scrna_pbmc3k_labelled/pbmc3k_counts_labels.h5ad")
    label = next(labelled.obs[c] for c in labelled.obs if (labelled.obs[c].astype(str) == "NK").any())
    parts["scrna_pbmc3k_labelled"] = (labelled.X.tocsr(), np.array(labelled.var_names), label.astype(str).to_numpy())
    for sample in sorted((folder / "scrna_combat_covid").iterdir()):
        if not sample.is_dir():
            continue
        parts[f"scrna_combat_covid/{sample.name}"] = combat(sample)
    for name, (counts, genes, kind) in parts.items():
        depth = np.asarray(counts.sum(axis=1)).ravel()
        nk = counts[kind == "NK"]
        own = depth[kind == "NK"]
        if len(own) < 30:
            continue
        rows += [(name, "NK", "cells", float(len(own))),
                 (name, "NK", "molecules a cell, median", float(np.median(own))),
                 (name, "NK", "molecules a cell, sd of the log", float(np.log(own).std())),
                 (name, "other", "molecules a cell, median", float(np.median(depth[kind != "NK"])))]  # fmt: skip
        share = np.asarray(nk.sum(axis=0)).ravel() / own.sum()
        expressed = share[share * own.sum() >= 5] * 1e4
        rows += [
            (name, "NK", f"counts per 10,000 of an expressed gene, quantile {q}", float(np.quantile(expressed, q)))
            for q in (0.25, 0.5, 0.75, 0.95)
        ]
        rows.append((name, "NK", "sd of the log of expressed genes", float(np.log(expressed).std())))
        dense = nk[:, share * len(own) * np.median(own) >= 60].toarray().astype(float)
        mean = dense.sum(axis=0) / own.sum()
        expected = own[:, None] * mean
        phi = ((dense - expected) ** 2 - expected).sum(axis=0) / (expected**2).sum(axis=0)
        rows += [
            (name, "NK", f"overdispersion of genes with 60 molecules or more, quantile {q}", float(np.quantile(phi, q)))
            for q in (0.25, 0.5, 0.75)
        ]
        mito = np.array([str(g).startswith("MT-") for g in genes])
        rows.append(
            (
                name,
                "NK",
                "mitochondrial share, median",
                float(np.median(np.asarray(nk[:, mito].sum(axis=1)).ravel() / own)),
            )
        )
    return pd.DataFrame(rows, columns=["set", "cells", "what", "value"])


N_GENES = 2000
# Label genes of two published figures (facts, the strengths are of our choice): cells without and with cytokine
# training of Foltz et al. 2024 in a third-party analysis, and adaptive NK cells of Rueckert et al. 2022.
BRIGHT = (
    "XCL1 COTL1 CAPG XCL2 VIM TCF7 CLDND1 GZMK LTB MMP25 TMEM123 NCAM1 CD2 ITGB7 IL12RB2 TNFSF10 KIT IL7R CXCR3 CD44"
    " CD96"
)
DIM = "FCGR3A FGFBP2 CX3CR1 GZMB SPON2 S1PR5 MTSS1 PRSS23 KLF2 AKR1C3 ADGRG1 GZMH FCRL6"
TRAINED = (
    "CCL5 KLRB1 ALOX5AP KLRC1 CEBPD ITGA4 ENTPD1 PDE3B NEAT1 CLIC3 SPOCK2 IKZF3 TIGIT PRDM1 HAVCR2 LYST SAMSN1 TNFAIP3"
    " CXCR4 TOX GPR171 PTGER4 TNFRSF9 IFNG"
)
ADAPTIVE_DOWN = "KLRC1 ZBTB16 FCER1G KLRB1 CD7 SYK SH2D1B"
NK3 = "CCL5 GZMH IL32 S100A6 S100A4 VIM KLRC3 LGALS1 HLA-DPB1"
SHED = "FCGR3A KLF2 S1PR5 CX3CR1 SELL"
LEFT_OUT = {"HBA1", "HBA2"}  # red cells


def programmes(folder: Path) -> pd.DataFrame:
    """Genes of each axis with their log2 change at its end, from published tables of effects; see `source`."""
    rows: list[tuple[str, str, float, str]] = []
    sorted_cells = {
        "bright": "brights",
        "early": "nkg2a_pos",
        "kir": "kir_pos",
        "late": "cd57_pos",
        "adaptive": "adaptive",
    }
    for axis, name in sorted_cells.items():
        table = pd.read_csv(folder / f"nk_gene_lists/de_up_{name}.csv", index_col=0)
        rows += [(axis, g, min(0.55 * v, 3.0), "sorted NK subsets, Netskar 2024: log fold change x .55, at most 3")
                 for g, v in table["lfc_mean"].items() if g not in LEFT_OUT]  # fmt: skip
    third = "third-party analysis of Foltz 2024, genes of a figure, strength of our choice"
    rows += [("bright", g, 1.0, third) for g in BRIGHT.split()] + [("bright", g, -1.5, third) for g in DIM.split()]
    trained = TRAINED.split()
    rows += [("memory", g, round(1.6 - 0.9 * i / len(trained), 2), third) for i, g in enumerate(trained)]
    rows += [
        ("adaptive", g, -1.6, "Rueckert 2022, genes of a figure, strength of our choice") for g in ADAPTIVE_DOWN.split()
    ]
    rows += [("adaptive", g, 0.8, "NK3 of Rebuffet 2024, strength of our choice") for g in NK3.split()]
    rows += [("activated", g, -1.5, "general knowledge") for g in SHED.split()]
    # The transcript of a receptor follows the protein (resources/simulate/proteins.tsv).
    rows += [("activated", "IFNG", 4.0, "IL-12 with IL-18, general knowledge")]
    rows += [
        ("activated", "IL2RA", 8.0, "general knowledge, as the protein"),
        ("adaptive", "KLRC2", 5.0, "as the protein"),
    ]
    induced = pd.read_csv(folder / "nk_hucira_cips/df_cips_genesets_NK.csv.gz").drop_duplicates()
    induced = induced[(induced["celltype"] == "NK_CD56low") & ~induced["gene"].str.startswith(("ENSG", "MIR", "LINC"))]
    for axis, program, number, top in (
        ("activated", "GR-03", 40, 5.0),
        ("activated", "CE-01", 30, 1.6),
        ("cycle", "PD-01", 90, 7.5),
    ):
        own = induced[induced["CIP"].str.startswith(program)].nlargest(number, "effect_size")
        source = (
            f"cytokine-induced programme {program} of NK cells, Human Cytokine Dictionary, square root of the loading"
        )
        rows += [
            (axis, r.gene, top * float(np.sqrt(r.effect_size / own["effect_size"].max())), source)
            for r in own.itertuples()
        ]
    table = pd.DataFrame(rows, columns=["axis", "gene", "log2", "source"])
    return (
        table.groupby(["axis", "gene"], sort=False).agg(log2=("log2", "mean"), source=("source", "first")).reset_index()
    )


def gene_levels(folder: Path, needed: set[str]) -> pd.DataFrame:
    """Counts per 10,000 of 2,000 genes by kind of cell: those needed and the most expressed ones of the labelled set.

    NK cells are the mean of the labelled set and two healthy donors of the other.
    """
    import anndata

    data = anndata.read_h5ad(folder / "scrna_pbmc3k_labelled/pbmc3k_counts_labels.h5ad")
    counts, genes, label = data.X.tocsr(), [str(g) for g in data.var_names], data.obs["cell_type"].astype(str)
    kinds = {"NK": ("NK",), "CD4_T": ("Naive CD4 T", "Memory CD4 T"), "CD8_T": ("CD8 T",), "B": ("B",),
             "monocyte": ("CD14+ Mono",), "nonclassical": ("FCGR3A+ Mono",), "DC": ("DC",)}  # fmt: skip
    table = {}
    for kind, names in kinds.items():
        keep = label.isin(names).to_numpy()
        if not keep.any():
            raise SystemExit(f"no cell is labelled {names}: {sorted(set(label))}")
        total = np.asarray(counts[keep].sum(axis=0)).ravel()
        table[kind] = pd.Series(total / total.sum() * 1e4, index=genes)
    levels = pd.DataFrame(table)
    # The labelled set has an older annotation without some genes (TRAC among them): those come from two healthy donors
    # of the other set, whose cells are taken for a kind by two or three other genes.
    own = [combat(folder / "scrna_combat_covid" / sample) for sample in ("H00049", "H00053")]
    other = {}
    for kind in kinds:
        total = sum(
            pd.Series(np.asarray(c[k == kind].sum(axis=0)).ravel(), index=g).groupby(level=0).sum() for c, g, k in own
        )
        other[kind] = total / total.sum() * 1e4
    other = pd.DataFrame(other)
    levels = levels.reindex(sorted({*levels.index, *needed}))
    levels = levels.fillna(other.reindex(levels.index)).fillna(0.0)
    levels["healthy"] = other["NK"].reindex(levels.index).fillna(0.0)
    levels["NK"] = levels[["NK", "healthy"]].mean(axis=1)
    levels = levels[list(kinds)]
    rest = levels.drop(index=sorted(needed)).max(axis=1).nlargest(N_GENES - len(needed)).index
    return levels.loc[sorted({*needed, *rest})].rename_axis("gene").reset_index()


def combat(sample: Path) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """Counts (cells × genes) and symbols of a 10x folder, and the kind of each cell by a few genes (empty: no kind)."""
    counts = mmread(sample / "matrix.mtx.gz").T.tocsr()
    genes = pd.read_csv(sample / "features.tsv.gz", sep="\t", header=None)[1].astype(str).to_numpy()
    at = {g: i for i, g in enumerate(genes)}
    names = (
        "NKG7",
        "KLRF1",
        "KLRD1",
        "CD3D",
        "CD3G",
        "CD8B",
        "LYZ",
        "MS4A1",
        "CD79A",
        "IL7R",
        "CD8A",
        "CD14",
        "FCGR3A",
        "FCER1A",
    )
    seen = pd.DataFrame({g: np.asarray(counts[:, at[g]].todense()).ravel() for g in names})
    no_other = seen["LYZ"] + seen["MS4A1"] == 0
    kinds = {
        "NK": (seen["NKG7"] > 1)
        & (seen["KLRF1"] + seen["KLRD1"] > 0)
        & (seen[["CD3D", "CD3G", "CD8B"]].sum(axis=1) == 0)
        & no_other,
        "CD4_T": (seen["CD3D"] > 0) & (seen["IL7R"] > 0) & (seen["CD8A"] + seen["NKG7"] == 0) & no_other,
        "CD8_T": (seen["CD3D"] > 0) & (seen["CD8A"] > 0) & no_other,
        "B": (seen["MS4A1"] > 0) & (seen["CD79A"] > 0) & (seen["CD3D"] == 0),
        "monocyte": (seen["LYZ"] > 3) & (seen["CD14"] > 0) & (seen["FCGR3A"] == 0),
        "nonclassical": (seen["LYZ"] > 0) & (seen["CD14"] == 0) & (seen["FCGR3A"] > 1) & (seen["NKG7"] < 2),
        "DC": (seen["LYZ"] > 0) & (seen["FCER1A"] > 0) & (seen["CD14"] == 0),
    }
    return counts, genes, np.select(list(kinds.values()), list(kinds), "")


def named_genes() -> set[str]:
    """Genes a reader of the matrix will look for: those of the shipped definitions, lineages, sex, and mitochondria."""
    found = {"XIST", "RPS4Y1", "DDX3Y", "KIR2DL1", "KIR2DL3", "KIR3DL1"}
    for path in (OUT.parent / "signatures").glob("*.yaml"):
        words = (
            path.read_text()
            .replace("[", " ")
            .replace("]", " ")
            .replace(",", " ")
            .replace("{", " ")
            .replace(":", " ")
            .split()
        )
        found |= {w for w in words if w.isupper() or w.startswith(("HLA-", "MT-"))}
    return found


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
