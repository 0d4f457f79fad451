"""Every reader of what a user brings, with a good file of each kind; and ways in which bytes go wrong."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
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


SHEETS = ("samples", "counts", "patients", "donors", "persons", "antibodies", "functional")


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


def kinds(base: Path) -> list[Kind]:
    """All kinds, with good files below `base` (:func:`make_small_files`) or shipped."""
    from cimlnk.cohort.config import resolve
    from cimlnk.cohort.overrides import read_overrides
    from cimlnk.cohort.rows import read_rows
    from cimlnk.common.errors import Problems
    from cimlnk.common.yaml_file import read_yaml
    from cimlnk.cytof.barcodes.key import read_key
    from cimlnk.cytof.fcs.header import read_events, read_header
    from cimlnk.cytof.flow.spillover import read_spillover
    from cimlnk.cytof.gating.manual import gate_manually
    from cimlnk.cytof.gating.spec import load_gates
    from cimlnk.cytof.panel import load_panel
    from cimlnk.cytof.spillover.matrix import read_matrix
    from cimlnk.donors.calls import read_calls
    from cimlnk.donors.evidence import read_second
    from cimlnk.donors.genotypes import read_vcf
    from cimlnk.dynamics.expression.signatures import read_gene_sets
    from cimlnk.front.beside import barcodes_of, tool_of
    from cimlnk.front.found import read_any
    from cimlnk.front.marks import read_marks
    from cimlnk.populations.definitions_file import load_definitions
    from cimlnk.rna.genes import load_lineages
    from cimlnk.rna.read import read_counts
    from cimlnk.rna.read_adt import hashtag_cells, read_antibody_file
    from cimlnk.rna.read_h5 import read_obs

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

    header = read_header(base / "a.fcs")
    all_events = np.ones(header.n_events, dtype=bool)
    by_hand = {"live_singlets": "live", "lymphocytes": "lymphocytes", "nk": "nk"}

    def gates(path: Path) -> object:
        matched: Any = SimpleNamespace(channels=[])
        return gate_manually(header, matched, {**by_hand, "file": str(path)}, sample="a", start=all_events)

    def hashtags(path: Path) -> object:
        codes = [line.split(",")[0] for line in (base / "hto.csv").read_text().splitlines()[1:]]
        return hashtag_cells(path, "HTO1", np.array(codes, dtype=object))

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
        *(Kind(f"sheet {k}", base / f"{k}.tsv", "", rows(k)) for k in SHEETS),
        Kind("sheet panel", base / "panel.tsv", "", load_panel),
        Kind("drafted sheet", base / "drafted.tsv", "", rows("samples")),
        Kind("marks of a drafted sheet", base / "drafted.tsv", "", lambda p: read_marks(p, p.name, "samples")),
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
        Kind("spillover of flow", base / "flow.csv", "", read_spillover),
        Kind("GatingML", base / "gates.xml", "", gates),
        Kind("FlowJo workspace", base / "gates.wsp", "", gates),
        Kind("vireo", base / "vireo.tsv", "", lambda p: read_calls(p, "vireo")),
        Kind("souporcell", base / "souporcell.tsv", "", lambda p: read_calls(p, "souporcell")),
        Kind("demuxlet", base / "demuxlet.best", "", lambda p: read_calls(p, "demuxlet")),
        Kind("donor table", base / "donor.csv", "", lambda p: read_calls(p, "column")),
        Kind("donor h5ad", base / "a.h5ad", "", lambda p: read_calls(p, "column", column="sample")),
        Kind("second call", base / "donor.csv", "", lambda p: read_second(p, p.name, None, antibody="level")),
        Kind("VCF", base / "a.vcf", "", read_vcf),
        Kind("VCF, gzip", base / "a.vcf.gz", "", read_vcf, packed=True),
        Kind("antibody table", base / "adt.csv", "", read_antibody_file),
        Kind("antibody h5", base / "a.h5", "", read_antibody_file),
        Kind("hashtag calls", base / "hto.csv", "", hashtags),
        Kind("obs of h5ad", base / "a.h5ad", "", read_obs),
        Kind("barcodes of h5", base / "a.h5", "", barcodes_of),
        Kind("barcodes of folder", base / "tenx", "barcodes.tsv.gz", barcodes_of, packed=True),
        Kind("tool of calls", base / "vireo.tsv", "", tool_of),
        Kind("table found by draft", base / "donor.csv", "", read_any),
        Kind("workbook found by draft", base / "samples.xlsx", "", read_any),
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
