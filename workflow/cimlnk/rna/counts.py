"""Raw counts of one sample: what every reader must hand over, and the checks no count matrix may fail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from cimlnk.common.errors import Plain, UserError

ENSEMBL = re.compile(r"^ENS[A-Z]*G\d{11}(\.\d+)?$")
HUMAN_PREFIX = re.compile(r"^(GRCh3[78]|hg19|hg38)_+")
MOUSE_PREFIX = re.compile(r"^(GRCm3[89]|mm10|mm9|mm39)_+")
# Sums of float64 integers are exact far above this; UMI totals of one gene in one cell never come near it.
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class AntibodyCounts:
    """Counts of antibody-derived tags: cells × antibodies (CSR, int32), and the antibodies' names in the file."""

    matrix: sp.csr_matrix
    names: np.ndarray


@dataclass(frozen=True)
class Counts:
    """Raw integer counts of one sample.

    Attributes
    ----------
    matrix
        cells x genes, CSR, int32, no explicit zeros, indices sorted.
    barcodes
        Cell barcodes, unique.
    genes
        Gene symbols, unique.
    found
        Where the counts were taken from, in words (``layers['counts']``, ``10x v3 folder``).
    notes
        What was changed or left out on the way, in words.
    antibodies
        Antibody counts of the same cells, if the file has any.
    """

    matrix: sp.csr_matrix
    barcodes: np.ndarray
    genes: np.ndarray
    found: str
    notes: tuple[str, ...] = ()
    antibodies: AntibodyCounts | None = None


def not_counts(matrix: Any) -> str | None:
    """Say why `matrix` cannot be raw counts (NaN, negative, fractions, only 0 and 1), or None if it can."""
    values = matrix.data if sp.issparse(matrix) else np.asarray(matrix)
    if values.size == 0 or values.dtype.kind in "bOSU":
        return None if values.size == 0 else f"holds {values.dtype} values"
    if values.dtype.kind == "f":
        bad = ~np.isfinite(values)
        if bad.any():
            return f"holds {int(bad.sum())} NaN or infinite values"
    if values.min() < 0:
        return f"holds {int((values < 0).sum())} negative values (least {values.min():g}): scaled data?"
    if values.dtype.kind == "f":
        off = np.abs(values - np.rint(values)) > 1e-6
        if off.any():
            example = values[off].flat[0]
            kind = "log-normalised" if values.max() < 20 else "normalised"
            return (
                f"holds {100 * off.mean():.0f} % fractions (for example {example:g}, largest {values.max():g}): {kind}?"
            )
    if values.max() > LARGEST:
        return f"holds {values.max():g}, more than any UMI count"
    return None


def make_counts(
    file: object,
    matrix: Any,
    barcodes: Sequence[str] | np.ndarray,
    *,
    genes: Sequence[str] | np.ndarray,
    ids: Sequence[str] | np.ndarray | None = None,
    found: str,
    notes: Sequence[str] = (),
    antibodies: tuple[Any, Sequence[str] | np.ndarray] | None = None,
) -> Counts:
    """Check a cells x genes matrix with its names and return it as :class:`Counts`.

    Duplicated barcodes are refused: two cells of one name usually are two libraries glued together, and later tables
    could not tell them apart. Genes of one symbol and different Ensembl ids (10x references hold about twenty) are
    summed, so that samples agree whatever the order of the genes; the note says which.

    Parameters
    ----------
    file
        Named in errors.
    matrix
        cells x genes, dense or sparse, of any number type.
    barcodes, genes
        Names of rows and columns.
    ids
        Second name of each gene (Ensembl id), if the file has one.
    found, notes
        See :class:`Counts`.
    antibodies
        Cells x antibodies of the same cells, and the antibodies' names.

    Raises
    ------
    UserError
        For anything that is not a non-empty matrix of human raw counts with unique names.
    """
    names = np.asarray(genes, dtype=object)
    cells = np.asarray(barcodes, dtype=object)
    said = list(notes)
    if matrix.shape != (len(cells), len(names)):
        raise UserError(
            file,
            "matrix",
            Plain(f"{matrix.shape[0]} cells x {matrix.shape[1]} genes"),
            f"{len(cells)} cells x {len(names)} genes, as the barcodes and features say",
        )
    if 0 in matrix.shape:
        raise UserError(
            file, "matrix", Plain(f"{matrix.shape[0]} cells x {matrix.shape[1]} genes"), "at least one of each"
        )
    reason = not_counts(matrix)
    if reason:
        raise UserError(file, found, Plain(f"a matrix that {reason}"), "raw integer UMI counts")
    _check_names(file, cells, "barcodes")
    _check_names(file, names, "gene names")
    unique, times = np.unique(cells.astype(str), return_counts=True)
    if (times > 1).any():
        raise UserError(
            file,
            "barcodes",
            Plain(f"{int((times > 1).sum())} barcodes more than once, for example {str(unique[times > 1][0])!r}"),
            "every barcode once (two libraries in one matrix? give each its own sample)",
        )
    counts = sp.csr_matrix(matrix)
    counts = sp.csr_matrix((np.rint(counts.data).astype(np.int32), counts.indices, counts.indptr), shape=counts.shape)
    counts, names, ids = _human_symbols(file, counts, names, ids=ids, said=said)
    names = _named(names, ids, said)
    counts, names = _merge_duplicates(counts, names, ids=ids, said=said)
    counts.eliminate_zeros()
    counts.sort_indices()
    if not counts.has_canonical_format:
        raise UserError(file, found, Plain("the same gene twice in one cell"), "every entry once: is the file whole?")
    if counts.nnz == 0:
        raise UserError(file, found, Plain("only zeros"), "counts above zero")
    proteins = None if antibodies is None else antibody_counts(file, *antibodies)
    return Counts(counts, cells.astype(str).astype(object), names, found, tuple(said), proteins)


def _check_names(file: object, names: np.ndarray, where: str) -> None:
    """Refuse names with the character that ends a text in HDF5: two of them could become one name there."""
    odd = next((str(n) for n in names if "\0" in str(n)), None)
    if odd is not None:
        raise UserError(file, where, odd, "names without \\0")


def antibody_counts(file: object, matrix: Any, names: Sequence[str] | np.ndarray) -> AntibodyCounts:
    """Check cells x antibodies as raw counts.

    Raises
    ------
    UserError
        For anything but whole numbers of zero and more.
    """
    reason = not_counts(matrix)
    if reason:
        raise UserError(file, "antibodies", Plain(f"a matrix that {reason}"), "raw integer antibody counts")
    _check_names(file, np.asarray(names, dtype=object), "antibodies")
    counts = sp.csr_matrix(matrix)
    whole = sp.csr_matrix((np.rint(counts.data).astype(np.int32), counts.indices, counts.indptr), shape=counts.shape)
    whole.sort_indices()
    return AntibodyCounts(whole, np.asarray(names).astype(str).astype(object))


def _human_symbols(
    file: object, counts: sp.csr_matrix, names: np.ndarray, *, ids: Any, said: list[str]
) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray | None]:
    """Gene symbols (and ids) of one human genome: second column, genome prefixes, mouse spike-ins."""
    other = None if ids is None else np.asarray(ids, dtype=object)
    ensembl = np.mean([bool(ENSEMBL.match(str(n))) for n in names])
    if ensembl > 0.5:
        if other is None or np.mean([bool(ENSEMBL.match(str(n))) for n in other if n is not None] or [True]) > 0.5:
            raise UserError(
                file,
                "gene names",
                str(names[0]),
                "gene symbols such as 'NKG7' (Ensembl ids need a second column with symbols: feature_name, "
                "gene_symbols, gene_name or the second column of features.tsv)",
            )
        said.append("gene symbols taken from the second name column, the first holds Ensembl ids")
        names, other = other, names
    mouse = np.array([bool(MOUSE_PREFIX.match(str(n))) for n in names])
    if mouse.any() and not mouse.all():
        said.append(f"{int(mouse.sum())} genes of the mouse genome left out (two-species reference)")
        counts, names, other = (
            sp.csr_matrix(counts[:, ~mouse]),
            names[~mouse],
            None if other is None else other[~mouse],
        )
    names = np.array(["" if n is None else HUMAN_PREFIX.sub("", str(n)) for n in names], dtype=object)
    # Mouse symbols are written Nkg7, mt-Nd1; human ones NKG7, MT-ND1.
    letters = [n for n in names if re.match(r"^[A-Za-z]{3}", n)]
    title = np.mean([n[0].isupper() and n[1:3].islower() for n in letters]) if letters else 0.0
    if mouse.all() or title > 0.5 or any(n.startswith("mt-") for n in names):
        example = next((n for n in names if n.startswith("mt-") or n[1:3].islower()), names[0])
        raise UserError(file, "gene names", str(example), "human gene symbols (this looks like mouse)")
    return counts, names, other


def _same_ids(names: np.ndarray, ids: Any) -> str:
    """How many genes stood twice by their id too, which no reference does."""
    if ids is None:
        return ""
    _, times = np.unique([f"{i}\t{n}" for i, n in zip(ids, names, strict=True)], return_counts=True)
    n = int((times > 1).sum())
    return f" ({n} of them with the same id, too: is the matrix two put together?)" if n else ""


def _named(names: np.ndarray, ids: np.ndarray | None, said: list[str]) -> np.ndarray:
    """Gene symbols, and the id of a gene that has none: genes without symbol are not one gene."""
    without = np.array([str(n).strip().lower() in ("", "nan", "none", "<na>", "na") for n in names])
    if not without.any():
        return names
    said.append(f"{int(without.sum())} genes without symbol are called by their id")
    spare = [f"gene {i + 1}" for i in range(len(names))] if ids is None else ids
    return np.array([str(i) if no else n for n, i, no in zip(names, spare, without, strict=True)], dtype=object)


def _merge_duplicates(
    counts: sp.csr_matrix, names: np.ndarray, *, ids: Any, said: list[str]
) -> tuple[sp.csr_matrix, np.ndarray]:
    """Sum the columns of one symbol; the first one's place is kept."""
    first: dict[str, int] = {}
    target = np.array([first.setdefault(n, len(first)) for n in names])
    if len(first) == len(names):
        return counts, names
    repeated = sorted({n for n, k in zip(names, target, strict=True) if first[n] == k and np.sum(target == k) > 1})
    shown = ", ".join(repeated[:5]) + (", …" if len(repeated) > 5 else "")
    said.append(f"{len(repeated)} gene symbols stood more than once and were summed: {shown}{_same_ids(names, ids)}")
    fold = sp.csr_matrix(
        (np.ones(len(names), dtype=np.int32), (np.arange(len(names)), target)), shape=(len(names), len(first))
    )
    return sp.csr_matrix(counts @ fold), np.array(list(first), dtype=object)
