"""Genes of the synthetic transcriptome and the programme of every cell type."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from cimlnk.common.seeds import rng

from .composition import POPULATIONS

N_GENES = 2000

# Genes up (and, behind a bar, down) in a population against resting NK cells: signature genes of published NK atlases
# (Netskar 2024, Rebuffet 2024, Rückert 2022, Foltz 2024) and, for the activated product, general knowledge of
# IL-12/15/18 stimulation. The strengths are of our choice.
PROGRAMMES: dict[str, str] = {
    "CD56bright": (
        "SELL IL7R GZMK XCL1 XCL2 GPR183 LTB TCF7 CAPG COTL1 CD44 KIT CXCR3 IL12RB2 NCAM1 CD2 CLDND1 VIM SCML1 LSR ID3"
        " MYC LEF1 TOX2 RUNX2 SPRY1 KLRC1 CD52 LDB2 TNFRSF11A TIAM1 ITGB7 MMP25 CCR7"
        " | FCGR3A FGFBP2 CX3CR1 GZMB SPON2 S1PR5 PRF1 GZMH PRSS23 KLF2 ADGRG1 AKR1C3"
    ),
    "CD56dim_NKG2A": "KLRC1 KLRB1 CD160 CMC1 CXCR4 TXNIP CLIC3 LITAF LYAR TNFRSF18 | GZMK B3GAT1",
    "CD56dim_KIR": (
        "PTGDS PCSK5 SORBS2 PDGFRB COL13A1 LGR6 NUAK1 GNAL DAB2 SPON2 MTSS1 FCRL6 KIR3DL2 KIR2DL4 CEP78"
        " | KLRC1 SELL GZMK"
    ),
    "CD56dim_CD57": (
        "B3GAT1 ZNF683 S100B NSG1 IFI27 PALLD PTGDS ZEB2 GZMH ADGRG1 PRSS23 KLF3 LILRB1 S1PR5 CX3CR1 ITGB2"
        " | KLRC1 SELL IL7R KLRB1 CXCR4 LTB"
    ),
    "adaptive": (
        "KLRC2 KLRC3 CD3E CD3D CD3G LILRB1 IL32 CD52 CD2 PATL2 ZBTB38 GZMH CCL5 HLA-DRB1 HLA-DPB1 S100A4 S100A6 VIM"
        " LGALS1 TPRG1 MT1E LAG3 PTMS CDKN2A JAKMIP1 RAB11FIP5 CADM1 B3GAT1 ZNF683"
        " | FCER1G KLRB1 SYK ZBTB16 SH2D1B CD7 KLRC1 SELL"
    ),
    "CIML_activated": (
        "IL2RA CD69 IFNG TNFRSF9 TNFRSF18 TNFRSF4 CD274 LTA CSF2 XCL1 XCL2 CCL3 CCL4 CCL4L2 GZMB MYC CISH SOCS1 SOCS2"
        " BATF NFKBIA CD83 KLRC1 IL18RAP NFKB1 BCL2L1 EBI3 TNF FASLG SLC7A5 GADD45B BHLHE40 IRF4 ODC1"
        " | FCGR3A KLRF1 CX3CR1 S1PR5 KLF2 SELL TXNIP FGFBP2"
    ),
    "proliferating": (
        "MKI67 TOP2A STMN1 TYMS PCNA HMGB2 TUBA1B BIRC5 CDK1 TUBB H2AZ1 TK1 RRM2 CCNB1 CCNA2 UBE2C HMGN2 CENPF NUSAP1"
        " TPX2 KIF11 MCM2 MCM5 MCM7 CDC20 ZWINT ASPM HMMR KLRC1 HAVCR2 GZMB CD38 HLA-DRA HLA-DRB1"
        " | FCGR3A CX3CR1 S1PR5 KLF2 TXNIP"
    ),
    "memory_like": (
        "KLRC1 CD2 COTL1 SOCS1 MIF PDCD4 CD96 ENTPD1 TIGIT CCL5 LAG3 ALOX5AP CEBPD ITGA4 PDE3B SPOCK2 IKZF3 PRDM1"
        " HAVCR2 LYST SAMSN1 GPR171 PTGER4 TOX TNFRSF9 IL18R1 IL12RB2 CD44 IFNG NCAM1"
        " | ZEB2 KLF3 FCRL6 CX3CR1 S1PR5 SPON2 CD160 FGFBP2"
    ),
}
# log2 strength of up and down genes, per population. NKG2A+ and KIR+ resting cells are near to each other in life.
STRENGTH = dict.fromkeys(POPULATIONS, (1.9, -1.6)) | {"CIML_activated": (2.2, -2.0), "proliferating": (2.6, -1.4)}

_CORE = (
    "NKG7 GNLY KLRD1 KLRF1 PRF1 CST7 CTSW TYROBP FCER1G NCAM1 KLRB1 CD7 CD247 GZMA GZMB GZMM FCGR3A FGFBP2 SPON2 KLRK1"
    " NCR1 NCR3 IL2RB EOMES TBX21 HOPX CLIC3 KLRC1 CX3CR1 S1PR5 CCL5 CCL4 CD160 SH2D1B SYK ZBTB16 ITGB2 AKR1C3 TXNIP"
    " KLF2 XCL2 TRDC IL18RAP CD96 MATK APMAP CMC1 SAMD3 PTGDR TTC38 IL32 CD99 RUNX3 SLAMF7 CD226 SIGLEC7 ID2 PRSS23"
).split()
_HOUSEKEEPING = (
    "MALAT1 B2M TMSB4X ACTB EEF1A1 TMSB10 FTL FTH1 GAPDH PTMA TPT1 H3-3B UBC UBA52 FAU PFN1 CFL1 ARPC3 MYL6 CORO1A"
    " HLA-A HLA-B HLA-C HLA-E EIF1 NACA BTF3 SERF2 OAZ1 ARPC2 COX4I1 ATP5F1E HNRNPA1 SRSF5 DDX5 TSC22D3 ZFP36L2 BTG1"
    " FOS JUN JUNB DUSP1 IER2 ZFP36 CD74 HLA-DPA1 SH3BGRL3 RAC2 ACTG1 CALM1 CLIC1 ARHGDIB LAPTM5 PTPRC CD48 CD53"
).split()
_LINEAGE = {
    "T": "TRAC TRBC1 TRBC2 CD3D CD3G CD3E IL7R LDHB CD27 LEF1 TCF7 CD5 CD6 MAL TRAT1 BCL11B CD28 ICOS CAMK4 THEMIS"
    " CCR7 CD8B CD4 CD8A CD40LG LTB GZMK",
    "B": "MS4A1 CD79A CD79B CD19 BANK1 CD22 PAX5 FCRLA VPREB3 TCL1A LINC00926 BLK SPIB CD24 FCER2 IGHM IGHD IGKC"
    " HLA-DRA HLA-DRB1 HLA-DPB1 HLA-DQA1 RALGPS2 JCHAIN CD74 LTB",
    "monocyte": "LYZ CD14 S100A8 S100A9 S100A12 VCAN FCN1 CTSS CST3 MNDA CSF3R AIF1 TYROBP FCER1G MS4A6A CD36 LGALS2"
    " SERPINA1 TYMP NAMPT CD68 IFI30 HLA-DRA HLA-DRB1 PSAP CLEC7A CYBB SPI1 FTL FTH1",
}
_OTHER = "HBA1 HBA2 HBB PPBP PF4 XIST RPS4Y1 DDX3Y CD274 NCR2 PDCD1 CXCR6 IL15RA IL21R CD300A SIGLEC9 NT5E BACH2"
KIR_GENES = {"KIR2DL1": "KIR2DL1", "KIR2DL2_3": "KIR2DL3", "KIR3DL1": "KIR3DL1"}  # protein -> gene
MITOCHONDRIAL = tuple(f"MT-{g}" for g in "ND1 ND2 ND3 ND4 ND4L ND5 ND6 CO1 CO2 CO3 ATP6 ATP8 CYB".split())
_RIBOSOMAL = tuple(
    [f"RPL{n}" for n in "3 4 5 6 7 7A 8 9 10 10A 11 12 13 13A 14 15 17 18 18A 19 21 22 23 23A 24 26 27 27A 28 29 30 31"
     " 32 34 35 35A 36 36AL 37 37A 38 39 41".split()]
    + [f"RPS{n}" for n in "2 3 3A 4X 5 6 7 8 9 10 11 12 13 14 15 15A 16 18 19 20 21 23 24 25 26 27 27A 28 29".split()]
    + ["RPLP0", "RPLP1", "RPLP2", "RPSA"]
)  # fmt: skip
# Families of real gene names; members by number fill the background of weakly expressed genes.
_FAMILIES = (("ZNF", 2, 860), ("TMEM", 5, 270), ("KLHL", 2, 42), ("PPP1R", 1, 42), ("CCDC", 6, 200), ("FBXO", 2, 50),
             ("WDR", 1, 92), ("TTC", 1, 39), ("RNF", 2, 220), ("DHX", 8, 40), ("USP", 1, 54), ("ANKRD", 1, 60),
             ("SLC25A", 1, 53), ("SLC35F", 1, 6), ("TRIM", 2, 77), ("NDUFA", 1, 13), ("PSMD", 1, 14), ("EIF3", 0, 0),
             ("MRPL", 1, 57), ("MRPS", 2, 36), ("COPS", 2, 9), ("VPS", 4, 54), ("RAB", 1, 43), ("ARHGAP", 1, 45),
             ("MED", 1, 31), ("POLR2", 0, 0), ("DNAJC", 1, 30), ("FAM", 8, 240), ("LRRC", 1, 75))  # fmt: skip


@cache
def gene_names() -> tuple[str, ...]:
    """All gene symbols in the order of the features file (the same for every cohort)."""
    names: dict[str, None] = {}
    lists = [_CORE, _HOUSEKEEPING, *(v.split() for v in _LINEAGE.values()), _OTHER.split(), KIR_GENES.values()]
    lists += [p.replace("|", " ").split() for p in PROGRAMMES.values()]
    for genes in (*lists, MITOCHONDRIAL, _RIBOSOMAL):
        names |= dict.fromkeys(genes)
    background = [f"{stem}{n}" for stem, first, last in _FAMILIES for n in range(first, last + 1) if last]
    free = [g for g in background if g not in names]
    chosen = rng(0, "background genes").choice(len(free), size=N_GENES - len(names), replace=False)
    names |= dict.fromkeys(free[i] for i in sorted(chosen))
    return tuple(sorted(names))


def gene_ids() -> list[str]:
    """Ensembl-like ids from a range Ensembl has not assigned, so that nobody takes them for real ones."""
    return [f"ENSG009{i:08d}" for i in range(N_GENES)]


@cache
def profiles() -> pd.DataFrame:
    """Relative expression (genes × cell types: the populations, T, B, monocyte), every column summing to 1."""
    genes = gene_names()
    base = pd.Series(np.exp(rng(0, "background level").normal(np.log(0.12), 0.9, N_GENES)), index=list(genes))
    random = rng(0, "levels")

    def level(names: list[str] | tuple[str, ...], centre: float, sd: float) -> pd.Series:
        return pd.Series(centre * np.exp(random.normal(0, sd, len(names))), index=list(names))

    every_programme = sorted({g for p in PROGRAMMES.values() for g in p.replace("|", " ").split()})
    core = sorted({*_CORE})
    lineage = {name: sorted({*text.split()}) for name, text in _LINEAGE.items()}
    only_lineage = sorted({g for v in lineage.values() for g in v} - {*every_programme} - {*core} - {*_HOUSEKEEPING})
    base[every_programme] = level(every_programme, 0.7, 0.35)
    base[only_lineage] = 0.01
    base[_OTHER.split()] = 0.02
    base[list(KIR_GENES.values())] = 0.02
    base[_HOUSEKEEPING] = level(_HOUSEKEEPING, 14.0, 0.6)
    base["MALAT1"] = 120.0
    base[list(_RIBOSOMAL)] = level(_RIBOSOMAL, 14.0, 0.5)
    base[list(MITOCHONDRIAL)] = level(MITOCHONDRIAL, 10.0, 0.5)
    nk = base.copy()
    nk[core] = level(core, 3.0, 0.5)
    nk[["NKG7", "GNLY", "KLRD1", "TYROBP", "PRF1", "GZMB", "CST7"]] *= 4
    # Genes a population switches on are nearly silent in the others.
    silent = "MKI67 TOP2A BIRC5 CDK1 RRM2 CCNB1 CCNA2 UBE2C CENPF NUSAP1 TPX2 KIF11 CDC20 ASPM HMMR IL2RA TNFRSF9 CSF2"
    silent += " LTA IL7R GZMK SELL KIT CD3E CD3D CD3G KLRC2 KLRC3 B3GAT1 ZNF683 LILRB1 IFNG CD274 EBI3 TNF"
    nk[silent.split()] = level(silent.split(), 0.25, 0.2)
    nk["KLRC1"] = 0.6
    table = {}
    for population in POPULATIONS:
        values = nk.copy()
        up, down = (part.split() for part in PROGRAMMES[population].split("|"))
        values[up] *= 2.0 ** STRENGTH[population][0]
        values[down] *= 2.0 ** STRENGTH[population][1]
        table[population] = values
    for name, members in lineage.items():
        values = base.copy()
        values[every_programme] *= 0.25
        values[core] = np.minimum(values[core], 0.15)
        values[members] = level(members, 6.0, 0.4)
        table[name] = values
    result = pd.DataFrame(table)
    return result / result.sum()


def programme_table() -> pd.DataFrame:
    """The planted log2 differences: population, feature, effect (before compositional rescaling)."""
    rows = []
    for population in POPULATIONS:
        for genes, effect in zip(PROGRAMMES[population].split("|"), STRENGTH[population], strict=True):
            rows += [(population, gene, effect) for gene in genes.split()]
    return pd.DataFrame(rows, columns=["population", "feature", "effect"])
