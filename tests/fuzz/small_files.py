"""A good file of every kind that a user may bring, as small as it can be."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def make_small_files(base: Path) -> None:
    """A few events, cells and rows of each kind: small files meet the mutations in their structure, not in values."""
    import anndata as ad
    import h5py
    import pandas as pd
    import scipy.sparse as sp
    import xlsxwriter

    from cimlnk.cytof.fcs.write import write_fcs

    rng = np.random.default_rng(1)
    base.mkdir(parents=True)
    names = ["Time", "Nd145Di", "Er170Di", "Yb174Di", "Ir191Di"]
    events = rng.gamma(1.0, 5.0, (60, 5)).astype(np.float32)
    events[:, 0] = np.arange(60)
    write_fcs(base / "a.fcs", events, names, markers=["", "145Nd_CD56", "170Er_CD3", "", "191Ir_DNA1"])
    counts = sp.csr_matrix(rng.poisson(0.4, (30, 12)))
    genes, cells = [f"GENE{i}" for i in range(12)], [f"CELL{i}-1" for i in range(30)]
    obs, var = pd.DataFrame({"sample": ["x"] * 30}, index=cells), pd.DataFrame(index=genes)
    ad.AnnData(counts.astype(np.float32), obs, var).write_h5ad(base / "a.h5ad")
    with h5py.File(base / "a.h5", "w") as stream:
        matrix = stream.create_group("matrix")
        for name, value in {"data": counts.data, "indices": counts.indices, "indptr": counts.indptr}.items():
            matrix[name] = value
        matrix["shape"] = np.array([12, 30])
        matrix["barcodes"] = np.array(cells, dtype="S")
        features = matrix.create_group("features")
        features["id"] = features["name"] = np.array(genes, dtype="S")
        features["feature_type"] = np.array(["Gene Expression"] * 12, dtype="S")
    folder = base / "tenx"
    folder.mkdir()
    entries = counts.T.tocoo()
    lines = ["%%MatrixMarket matrix coordinate integer general", f"12 30 {entries.nnz}"]
    lines += [f"{i + 1} {j + 1} {v}" for i, j, v in zip(entries.row, entries.col, entries.data, strict=True)]
    for name, text in {
        "matrix.mtx": "\n".join(lines) + "\n",
        "barcodes.tsv": "\n".join(cells) + "\n",
        "features.tsv": "".join(f"ENSG{i}\t{g}\tGene Expression\n" for i, g in enumerate(genes)),
    }.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    for kind in ("samples", "counts", "patients"):
        lines = (ROOT / f"config/{kind}/tiny.tsv").read_text(encoding="utf-8").splitlines()[:8]
        (base / f"{kind}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    header, *rows = (base / "samples.tsv").read_text(encoding="utf-8").splitlines()
    marks = ["# ? patient: from the file name", '"# ? arm: nothing says so (H, S?)"\t\t', header + "\t?"]
    drafted = [*marks, *(row + "\tday: by its name" for row in rows)]
    (base / "drafted.tsv").write_text("\n".join(drafted) + "\n", encoding="utf-8")
    (base / "panel.tsv").write_text((ROOT / "resources/panels/synthetic.tsv").read_text(encoding="utf-8"))
    with xlsxwriter.Workbook(base / "samples.xlsx") as book:
        sheet = book.add_worksheet("samples")
        for i, line in enumerate((base / "samples.tsv").read_text(encoding="utf-8").splitlines()):
            sheet.write_row(i, 0, line.split("\t"))
    (base / "key.csv").write_text("sample,102,104,105,106\na,1,1,0,0\nb,1,0,1,0\nc,0,1,1,0\nd,0,0,1,1\n")
    (base / "matrix.csv").write_text(",Nd142Di,Nd143Di\nNd142Di,1,0.01\nNd143Di,0.004,1\n")
    overrides = "what\tkey\tmarker\tvalue\taction\twhy\npopulation\tCD56dim\t\tmine\trename\tasked for\n"
    (base / "overrides.tsv").write_text(overrides + "threshold\tP1_pre_cytof\tCD56\t2.5\tset\tseen\n")
    _sheets(base)
    _calls(base, cells)
    _gates_by_hand(base)


def _sheets(base: Path) -> None:
    """The sheets beside those of the cohort, and a matrix as flow cytometers write it."""
    tables = {
        "donors": "sample\ttool\tcalls\tcolumn\nP1_pre_rna\tvireo\tdonor_ids.tsv\t\nP1_D28_rna\tcolumn\ta.csv\tdonor\n",
        "persons": "patient\tperson\trole\tsex\nP1\tA\tdonor\tmale\nP1\tB\trecipient\tfemale\n",
        "antibodies": "sample\tcounts\tempty\thashtags\thashtag\nP1_pre_rna\tadt.csv\t\thto.csv\tHTO1\n",
        "functional": "sample\treadout\ttarget\tvalue\tunit\nP1_product_cytof\tkilling\tK562\t54\t%\n",
    }
    for name, text in tables.items():
        (base / f"{name}.tsv").write_text(text, encoding="utf-8")
    (base / "flow.csv").write_text(",FITC-A,PE-A,APC-A\nFITC-A,1,0.21,0.004\nPE-A,0.02,1,0\nAPC-A,0,0.01,1\n")


def _calls(base: Path, cells: list[str]) -> None:
    """Whose cells they are, by every program, genotypes, antibody counts and hashtags of the same cells."""
    codes = ["".join("ACGT"[(i // 4**k) % 4] for k in range(16)) + "-1" for i in range(len(cells))]
    donor = [("donor0", "donor1")[i % 2] for i in range(len(codes))]

    def write(name: str, header: str, rows: list[str]) -> None:
        (base / name).write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")

    pairs = list(zip(codes, donor, strict=True))
    write("vireo.tsv", "cell\tdonor_id\tprob_max\tprob_doublet", [f"{c}\t{d}\t0.99\t1e-4" for c, d in pairs])
    write("souporcell.tsv", "barcode\tstatus\tassignment", [f"{c}\tsinglet\t{d[-1]}" for c, d in pairs])
    write(
        "demuxlet.best", "BARCODE\tBEST\tSNG.1ST\tPRB.DBL\tPRB.SNG1",
        [f"{c}\tSNG-{d}\t{d}\t0.01\t0.99" for c, d in pairs],
    )  # fmt: skip
    write("donor.csv", "barcode,donor,level", [f"{c},{d},{i}.5" for i, (c, d) in enumerate(pairs)])
    write(
        "adt.csv",
        f",{','.join(codes)}",
        [f"{m},{','.join(str(i % 7) for i in range(len(codes)))}" for m in ("CD56", "CD3")],
    )
    write("hto.csv", "cell,hash.ID", [f"{c},{('HTO1', 'HTO2')[i % 2]}" for i, c in enumerate(codes)])
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB"
    sites = [f"chr1\t{100 + i}\t.\tG\tC\t.\tPASS\t.\tGT:DP\t0/{i % 2}:{i}\t1/1:4" for i in range(20)]
    write("a.vcf", header, sites)
    (base / "a.vcf.gz").write_bytes(gzip.compress((base / "a.vcf").read_bytes(), mtime=0))


def _gates_by_hand(base: Path) -> None:
    """The three gates of cells, as GatingML and as a FlowJo workspace."""
    import warnings

    import flowkit as fk

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        strategy, above = fk.GatingStrategy(), ["root"]
        for name, channel in (("live", "Ir191Di"), ("lymphocytes", "Yb174Di"), ("nk", "Nd145Di")):
            strategy.add_gate(
                fk.gates.RectangleGate(name, [fk.Dimension(channel, range_min=0, range_max=50)]), (*above,)
            )
            above.append(name)
        with (base / "gates.xml").open("wb") as stream:
            fk.export_gatingml(strategy, stream)
        session = fk.Session(strategy, fcs_samples=[fk.Sample(str(base / "a.fcs"), sample_id="a.fcs")])
        with (base / "gates.wsp").open("wb") as stream:
            session.export_wsp(stream, "All")
