"""Small fluorescence files for tests: linear values of chosen dyes, spillover, scatter, keywords of an instrument."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cimlnk.cytof.fcs.write import write_fcs

DYES = ("FITC-A", "PE-A", "APC-A")
MATRIX = np.array([[1.0, 0.2, 0.0], [0.05, 1.0, 0.1], [0.0, 0.02, 1.0]])


def stained(n: int = 3000, seed: int = 0, *, spread: float = 100.0, bright: float = 20_000.0) -> np.ndarray:
    """Cells stained with one of three dyes each, a fifth with none; true light, before spillover and noise."""
    random = np.random.default_rng(seed)
    kind = random.integers(-1, 4, n)
    out = np.zeros((n, 3))
    for j in range(3):
        own = kind == j
        out[own, j] = bright * random.lognormal(0, 0.5, own.sum())
    return out + random.normal(0, spread, out.shape)


def keyword(names=DYES, matrix: np.ndarray = MATRIX) -> str:
    return ",".join([str(len(names)), *names, *(f"{v:.6g}" for v in np.asarray(matrix).ravel())])


def write_flow(
    path: Path,
    light: np.ndarray,
    names=DYES,
    *,
    markers=("CD3", "CD56", "CD16"),
    matrix: np.ndarray | None = MATRIX,
    doublets: int = 0,
    **keywords: str,
) -> Path:
    """A file of a BD instrument with FSC-A, FSC-H, SSC-A and Time; `light` are the dyes' values as measured."""
    random = np.random.default_rng(1)
    n = len(light)
    height = random.normal(80_000, 8_000, n)
    area = height * random.normal(1.1, 0.03, n)
    area[:doublets] *= 1.9
    table = np.column_stack([np.arange(n) / 10, area, height, random.normal(30_000, 4_000, n), light])
    text = {"$CYT": "LSRFortessa"} | ({"$SPILLOVER": keyword(names, matrix)} if matrix is not None else {}) | keywords
    columns = ["Time", "FSC-A", "FSC-H", "SSC-A", *names]
    write_fcs(path, table, columns, markers=["", "", "", "", *markers], metadata=text)
    return path


def write_panel(path: Path, *rows: tuple[str, ...]) -> Path:
    lines = ["channel\tmarker\trole\tcofactor\tcluster", *("\t".join(r) for r in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
