"""Cells of several people with known genotypes, and the files that programs for telling them apart would write.

Nothing here knows how labels are matched: genotypes are drawn by allele frequencies, reads by Poisson counts with
sequencing errors, and the genotypes of a cluster are called from its pooled reads by likelihood, as souporcell does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np


def people(n: int, n_sites: int, seed: int = 0) -> np.ndarray:
    """Alternate alleles of `n` unrelated people, n × n_sites, 0 to 2."""
    rng = np.random.default_rng(seed)
    frequency = rng.beta(0.6, 1.2, n_sites).clip(0.05, 0.95)
    return rng.binomial(2, frequency, (n, n_sites))


def child_of(parent: np.ndarray, other: np.ndarray, seed: int = 0) -> np.ndarray:
    """Genotypes of a child of two people."""
    rng = np.random.default_rng(seed)
    return rng.binomial(1, parent / 2) + rng.binomial(1, other / 2)


def pooled_calls(genotype: np.ndarray, n_cells: int, seed: int, *, reads: float = 0.01, error: float = 0.01):
    """Genotypes called from the pooled reads of `n_cells` cells: alternate alleles (NaN without reads), ref, alt."""
    rng = np.random.default_rng(seed)
    depth = rng.poisson(reads * n_cells, len(genotype))
    alt = rng.binomial(depth, np.array([error, 0.5, 1 - error])[genotype])
    chance = np.array([error, 0.5, 1 - error])
    likelihood = alt[:, None] * np.log(chance) + (depth - alt)[:, None] * np.log(1 - chance)
    called = likelihood.argmax(axis=1).astype(float)
    called[depth == 0] = np.nan
    return called, depth - alt, alt


def write_vcf(path: Path, columns: dict[str, tuple], first: int = 0, *, chromosome: str = "1") -> Path:
    """A VCF with GT:RO:AO; `columns` are name -> (alternate alleles, ref reads, alt reads)."""
    header = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *columns]
    lines = ["##fileformat=VCFv4.2", "\t".join(header)]
    words = {0.0: "0/0", 1.0: "0/1", 2.0: "1/1"}
    for site in range(len(next(iter(columns.values()))[0])):
        cells = [f"{words.get(float(g[site]), './.')}:{r[site]}:{a[site]}" for g, r, a in columns.values()]
        start = [chromosome, str(1000 + 7 * (first + site)), ".", "A", "G", ".", ".", ".", "GT:RO:AO"]
        lines.append("\t".join([*start, *cells]))
    path.write_text("\n".join(lines) + "\n")
    return path


def write_souporcell(
    path: Path, sizes: dict[str, int], doublets: int = 0, *, unassigned: int = 0, sure: float = 40.0
) -> Path:
    """A clusters.tsv; `sizes` are cluster -> cells; log likelihoods `sure` apart."""
    names = sorted(sizes)
    lines = ["\t".join(["barcode", "status", "assignment", "log_prob_singleton", "log_prob_doublet",
                        *[f"cluster{n}" for n in names]])]  # fmt: skip
    number = 0
    kinds = [(n, "singlet", n) for n in names for _ in range(sizes[n])]
    kinds += [(names[0], "doublet", "/".join(names[:2]))] * doublets + [(names[0], "unassigned", names[0])] * unassigned
    for own, status, assignment in kinds:
        logs = [-50.0 if n == own else -50.0 - sure for n in names]
        lines.append("\t".join([barcode(number), status, assignment, "-50", str(-50 - sure / 2), *map(str, logs)]))
        number += 1
    path.write_text("\n".join(lines) + "\n")
    return path


def barcode(number: int) -> str:
    """The `number`-th barcode: sixteen bases and -1."""
    letters = [("ACGT"[(number >> (2 * i)) & 3]) for i in range(16)]
    return "".join(letters) + "-1"
