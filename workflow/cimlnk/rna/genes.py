"""Families of genes that need care: technical, donor-specific, or of another cell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.yaml_file import read_yaml

# Patterns on human gene symbols; each family is documented in docs/methods/rna.md.
FAMILIES: dict[str, re.Pattern[str]] = {
    "mitochondrial": re.compile(r"^MT-"),
    "ribosomal": re.compile(r"^(RP[SL]\d+[AXYL]?\d*$|RPLP\d$|RPSA$|MRP[SL]\d)"),
    "haemoglobin": re.compile(r"^HB[ABDEGMQZ]\d?$"),
    "receptor": re.compile(r"^(TR[ABGD][VDJ]|IG[HKL][VDJ]|IGH[ADEGM]|IGK[C]|IGLC)"),
    "KIR": re.compile(r"^KIR[23]D[LSX]"),
    "HLA": re.compile(r"^HLA-(A|B|C|F|G|H|DRB[1-9]|DQ[AB]\d)$"),
    "sex": re.compile(
        r"^(XIST|TSIX|RPS4Y[12]|DDX3Y|KDM5D|EIF1AY|UTY|USP9Y|ZFY|TXLNGY|TTTY\d+|NLGN4Y|TMSB4Y|PRKY|LINC00278)$"
    ),
}
CELL_CYCLE = (
    "MKI67 TOP2A STMN1 TYMS PCNA HMGB2 TUBA1B TUBB BIRC5 CDK1 HIST1H4C H4C3 MCM2 MCM3 MCM4 MCM5 MCM6 MCM7 UBE2C CENPF "
    "CCNB1 CCNB2 CCNA2 NUSAP1 RRM2 RRM1 KIFC1 ASPM TPX2 CDC20 AURKB ZWINT CLSPN GINS2 CDKN3 HMGB1 H2AZ1 H2AFZ TK1"
).split()


def family(genes: Sequence[str] | np.ndarray, name: str) -> np.ndarray:
    """Mask of the genes of a family: a key of :data:`FAMILIES`, or ``cell_cycle``."""
    if name == "cell_cycle":
        return np.isin(np.asarray(genes, dtype=str), CELL_CYCLE)
    pattern = FAMILIES[name]
    return np.array([bool(pattern.match(str(g))) for g in genes], dtype=bool)


@dataclass(frozen=True)
class Specific:
    """Genes that only the lineages `made_by` make."""

    made_by: tuple[str, ...]
    genes: tuple[str, ...]


@dataclass(frozen=True)
class Against:
    """Genes that NK cells do not transcribe and cells with their genes may: T cells, by `lineages`.

    Genes of a group in `together` count as one, because NK cells may transcribe them after all.
    """

    lineages: tuple[str, ...]
    genes: tuple[str, ...]
    together: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class LineageTable:
    """Marker genes of lineages, their kinds (``nk``, ``lymphocyte``, ``other``), and genes that tell ambient RNA.

    `against` are genes held against cells called NK, None where the file has none.
    """

    markers: Mapping[str, tuple[str, ...]]
    kinds: Mapping[str, str]
    ambient: Mapping[str, Specific]
    against: Against | None = None

    def of_kind(self, *kinds: str) -> list[str]:
        return [n for n in self.markers if self.kinds[n] in kinds]


def load_lineages(path: str | Path) -> LineageTable:
    """Read the marker table of lineages (format: ``resources/signatures/contaminants.yaml``).

    Raises
    ------
    UserError
        If the file is absent, no YAML, or has no lineage of kind ``nk``.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(path, "rna.lineages", Plain("no file"), "a YAML file with marker genes")
    content: Any = read_yaml(path)
    if not isinstance(content, Mapping) or not isinstance(content.get("lineages"), Mapping):
        raise UserError(path, "top level", Plain("no key lineages"), "key lineages: {name: {kind, genes}}")
    problems = Problems()
    markers, kinds = {}, {}
    for name, entry in content["lineages"].items():
        if not isinstance(entry, Mapping) or not _is_list(entry.get("genes")):
            problems.add(path, f"lineages.{name}", entry, "keys kind and genes (a list)")
            continue
        kind = str(entry.get("kind"))
        if kind not in ("nk", "lymphocyte", "other"):
            problems.add(path, f"lineages.{name}.kind", kind, "nk, lymphocyte or other", ["nk", "lymphocyte", "other"])
        markers[str(name)] = tuple(map(str, entry["genes"]))
        kinds[str(name)] = kind
    ambient = {}
    given = content.get("ambient") or {}
    if not isinstance(given, Mapping):
        problems.add(path, "ambient", Plain(type(given).__name__), "a mapping")
        given = {}
    for name, entry in given.items():
        if not isinstance(entry, Mapping) or not _is_list(entry.get("genes")) or not _is_list(entry.get("made_by")):
            problems.add(path, f"ambient.{name}", entry, "keys made_by and genes (lists)")
            continue
        for lineage in entry["made_by"]:
            if str(lineage) not in markers:
                problems.add(path, f"ambient.{name}.made_by", str(lineage), "a lineage of this file", markers)
        ambient[str(name)] = Specific(tuple(map(str, entry["made_by"])), tuple(map(str, entry["genes"])))
    if "nk" not in kinds.values():
        problems.add(path, "lineages", Plain("none of kind nk"), "one lineage of kind nk")
    against = _against(path, content.get("against_nk"), markers, problems=problems)
    problems.raise_if_any()
    return LineageTable(markers, kinds, ambient, against)


def _against(path: Path, entry: Any, markers: Mapping[str, Any], *, problems: Problems) -> Against | None:
    if entry is None:
        return None
    if not isinstance(entry, Mapping) or not _is_list(entry.get("lineages")) or not _is_list(entry.get("genes")):
        problems.add(path, "against_nk", Plain("no mapping of lists"), "keys lineages and genes (lists)")
        return None
    for lineage in entry["lineages"]:
        if lineage not in markers:
            problems.add(path, "against_nk.lineages", lineage, "a lineage of this file", markers)
    together = entry.get("together") or []
    if not isinstance(together, list) or not all(_is_list(group) for group in together):
        problems.add(path, "against_nk.together", together, "a list of lists of genes")
        together = []
    return Against(tuple(entry["lineages"]), tuple(entry["genes"]), tuple(map(tuple, together)))


def _is_list(value: Any) -> bool:
    """Whether `value` is a list of words; a single word would be read as its letters."""
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def gene_table(genes: Sequence[str] | np.ndarray, known: LineageTable) -> pd.DataFrame:
    """The family of each gene, for reading tests on pseudobulk counts: columns gene and family (None for most).

    Families are those of :data:`FAMILIES` and ``lineage``, the genes only other cells make, whose differences between
    samples are differences in ambient RNA.
    """
    names = np.asarray(genes, dtype=object)
    foreign = sorted({g for s in known.ambient.values() for g in s.genes})
    found = np.full(len(names), None, dtype=object)
    found[np.isin(names.astype(str), foreign)] = "lineage"
    for name in FAMILIES:
        found[family(names, name)] = name
    return pd.DataFrame({"gene": names, "family": found})
