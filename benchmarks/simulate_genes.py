"""Parameters of the synthetic single-cell RNA from labelled or markable sets and published tables of effects.

Called by ``benchmarks/simulate_parameters.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.io import mmread

SIGNATURES = Path(__file__).resolve().parents[1] / "resources/signatures"
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
    for path in SIGNATURES.glob("*.yaml"):
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
