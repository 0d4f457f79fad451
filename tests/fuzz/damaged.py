"""Every reader of what a user brings, with a good file of each kind; and ways in which bytes go wrong."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORDS = [
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\t", b",", b";", b"\r", b"\n\n", b"#", b'"', b"'", b"|", b"&a ", b"*a ",
    b"!!python/object:os.system ", b"<<: ", b"- ", b": ", b"{", b"}", b"[", b"NaN", b"inf", b"-1", b"1e309", b"0x10",
    b"99999999999999999999", b"true", b"null", "é".encode(), "e\u0301".encode(), "\u202e".encode(), b"=1+1", b"../../",
    b"$PAR", b"$TOT", b"%%MatrixMarket", b"nan", b" ",
]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of file: a folder or file that is read well, the file in it that is damaged, and its reader."""

    name: str
    good: Path
    target: str
    read: Callable[[Path], object]
    packed: bool = False  # gzip: damaged inside as often as outside


def _settings(section: str) -> dict[str, Any]:
    from cimlnk.cohort.config import fill_defaults

    schema = yaml.safe_load((ROOT / f"workflow/schemas/config/{section}.schema.yaml").read_text(encoding="utf-8"))
    return fill_defaults({}, schema)


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
    (base / "panel.tsv").write_text((ROOT / "resources/panels/synthetic.tsv").read_text(encoding="utf-8"))
    with xlsxwriter.Workbook(base / "samples.xlsx") as book:
        sheet = book.add_worksheet("samples")
        for i, line in enumerate((base / "samples.tsv").read_text(encoding="utf-8").splitlines()):
            sheet.write_row(i, 0, line.split("\t"))
    (base / "key.csv").write_text("sample,102,104,105,106\na,1,1,0,0\nb,1,0,1,0\nc,0,1,1,0\nd,0,0,1,1\n")
    (base / "matrix.csv").write_text(",Nd142Di,Nd143Di\nNd142Di,1,0.01\nNd143Di,0.004,1\n")
    overrides = "what\tkey\tmarker\tvalue\taction\twhy\npopulation\tCD56dim\t\tmine\trename\tasked for\n"
    (base / "overrides.tsv").write_text(overrides + "threshold\tP1_pre_cytof\tCD56\t2.5\tset\tseen\n")


def kinds(base: Path) -> list[Kind]:
    """All kinds, with good files below `base` (:func:`make_small_files`) or shipped."""
    from cimlnk.cohort.config import resolve
    from cimlnk.cohort.overrides import read_overrides
    from cimlnk.cohort.rows import read_rows
    from cimlnk.common.errors import Problems
    from cimlnk.common.yaml_file import read_yaml
    from cimlnk.cytof.barcodes.key import read_key
    from cimlnk.cytof.fcs.header import read_events, read_header
    from cimlnk.cytof.gating.spec import load_gates
    from cimlnk.cytof.panel import load_panel
    from cimlnk.cytof.spillover.matrix import read_matrix
    from cimlnk.dynamics.expression.signatures import read_gene_sets
    from cimlnk.populations.definitions import load_definitions
    from cimlnk.rna.genes import load_lineages
    from cimlnk.rna.read import read_counts

    def rows(kind: str) -> Callable[[Path], object]:
        def read(path: Path) -> object:
            problems = Problems()
            table = read_rows(path, kind, file=path.name, problems=problems)
            problems.raise_if_any()
            return table

        return read

    def overrides(path: Path) -> object:
        problems = Problems()
        found = read_overrides({"cohort": {"overrides": str(path)}, "overrides": str(path)}, ROOT, problems)
        problems.raise_if_any()
        return found

    resources = ROOT / "resources"
    signatures = ROOT / _settings("dynamics")["expression"]["signatures"][0]
    return [
        Kind("FCS", base / "a.fcs", "", lambda p: read_events(read_header(p))),
        Kind("h5ad", base / "a.h5ad", "", read_counts),
        Kind("10x h5", base / "a.h5", "", read_counts),
        *(
            Kind(f"10x {name}", base / "tenx", f"{name}.gz", read_counts, packed=True)
            for name in ("matrix.mtx", "barcodes.tsv", "features.tsv")
        ),
        *(Kind(f"sheet {k}", base / f"{k}.tsv", "", rows(k)) for k in ("samples", "counts", "patients")),
        Kind("sheet panel", base / "panel.tsv", "", load_panel),
        Kind("workbook", base / "samples.xlsx", "", rows("samples")),
        Kind("debarcoding key", base / "key.csv", "", read_key),
        Kind("spillover matrix", base / "matrix.csv", "", read_matrix),
        Kind("overrides", base / "overrides.tsv", "", overrides),
        Kind("config", ROOT / "config/tiny.yaml", "", lambda p: resolve(read_yaml(p), ROOT, p.name)),
        Kind("gates", resources / "gates/nk.yaml", "", load_gates),
        Kind("definitions", ROOT / _settings("populations")["cytof"]["definitions"], "", load_definitions),
        Kind("gene definitions", ROOT / _settings("populations")["rna"]["definitions"], "", load_definitions),
        Kind("lineages", ROOT / _settings("rna")["lineages"], "", load_lineages),
        Kind("gene sets", signatures, "", lambda p: read_gene_sets([p])),
    ]


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """A file as accidents leave it: cut, bytes changed, pieces moved, doubled or lost, odd words put in."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(out) + 1)) if out else 0
        span = int(rng.integers(1, 40))
        match int(rng.integers(8)):
            case 0:
                out = out[:at]
            case 1:
                for i in rng.integers(max(len(out), 1), size=span).tolist():
                    if out:
                        out[i] = int(rng.integers(256))
            case 2:
                del out[at : at + span]
            case 3:
                out[at:at] = out[at : at + span]
            case 4:
                other = int(rng.integers(len(out) + 1))
                out[at : at + span], out[other : other + span] = out[other : other + span], out[at : at + span]
            case 5 | 6:
                out[at:at] = WORDS[int(rng.integers(len(WORDS)))]
            case _:
                if out:
                    at = min(at, len(out) - 1)
                    out[at] ^= 1 << int(rng.integers(8))
    return bytes(out)


def spoiled(kind: Kind, number: int, folder: Path) -> Path:
    """Damaged copy number `number` of a kind's good file, below `folder`."""
    rng = np.random.default_rng([number, sum(kind.name.encode())])
    place = folder / "case"
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(parents=True)
    path = place / kind.good.name
    if kind.target:
        shutil.copytree(kind.good, path)
        file = path / kind.target
    else:
        file = path
        shutil.copy(kind.good, path)
    data = file.read_bytes()
    if kind.packed and rng.random() < 0.7:
        data = gzip.compress(damage(gzip.decompress(data), rng), mtime=0)
    else:
        data = damage(data, rng)
    file.write_bytes(data)
    return path


def outcome(kind: Kind, path: Path) -> str:
    """``read`` or ``told``; what else happens is raised.

    Raises
    ------
    AssertionError
        If the message is not of the house's form.
    """
    from cimlnk.common.errors import UserError
    from faults import LINE

    try:
        kind.read(path)
    except UserError as error:
        lines = str(error).splitlines()
        assert lines and all(LINE.match(line) for line in lines), str(error)
        return "told"
    return "read"


def cases(found: list[Kind], numbers: range) -> Iterator[tuple[Kind, int]]:
    """Case `i` is of kind `i` modulo the number of kinds."""
    for number in numbers:
        yield found[number % len(found)], number
