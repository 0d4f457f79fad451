"""Mass cytometry of blood as instruments give it: counts with zero spikes, background humps, dim shoulders, doublets.

Knows nothing of how lineages are called: populations have mean counts per marker, cells spread around them, ions are
counted, and every channel has noise of its own.
"""

from __future__ import annotations

import numpy as np

MARKERS = (
    "CD45 CD3 CD19 CD20 CD14 CD33 CD15 CD66b CD16 HLA-DR CD11c CD123 CD4 CD8a CD56 CD7 CD94 CD161 T-bet CD38 CD34"
).split()
# mean ion counts; what is not given is not carried
CELLS: dict[str, tuple[str, dict[str, float]]] = {
    "T4": ("T", {"CD45": 220, "CD3": 150, "CD4": 120, "CD7": 50, "CD38": 8}),
    "T8": ("T", {"CD45": 220, "CD3": 140, "CD8a": 300, "CD7": 70, "T-bet": 14, "CD161": 6}),
    "NKT": ("T", {"CD45": 220, "CD3": 120, "CD8a": 200, "CD7": 40, "CD56": 45, "CD161": 30, "T-bet": 30}),
    "B": ("B", {"CD45": 200, "CD19": 90, "CD20": 200, "HLA-DR": 220, "CD38": 20}),
    "mono": ("monocyte", {"CD45": 160, "CD14": 180, "CD33": 90, "HLA-DR": 130, "CD11c": 130, "CD4": 18, "CD38": 40}),
    "mono16": ("monocyte", {"CD45": 170, "CD16": 120, "CD33": 40, "HLA-DR": 200, "CD11c": 200, "CD4": 12}),
    "neutrophil": ("granulocyte", {"CD45": 40, "CD15": 200, "CD66b": 120, "CD16": 250, "CD33": 8, "CD11c": 15}),
    "cDC": ("DC", {"CD45": 150, "HLA-DR": 500, "CD11c": 250, "CD33": 70, "CD4": 15, "CD56": 7}),
    "pDC": ("DC", {"CD45": 150, "HLA-DR": 300, "CD123": 250, "CD4": 30}),
    "NKdim": ("NK", {"CD45": 200, "CD56": 30, "CD16": 70, "CD7": 140, "CD94": 30, "CD161": 25, "T-bet": 40}),
    "NKbright": ("NK", {"CD45": 210, "CD56": 250, "CD16": 4, "CD7": 160, "CD94": 120, "CD161": 30, "T-bet": 20}),
    "CIML": ("NK", {"CD45": 230, "CD56": 320, "CD16": 9, "CD7": 220, "CD94": 90, "T-bet": 60, "HLA-DR": 60}),
    "basophil": ("other", {"CD45": 100, "CD123": 200, "CD33": 30}),
}  # fmt: skip
BLOOD = {"T4": 0.3, "T8": 0.17, "NKT": 0.02, "B": 0.08, "mono": 0.12, "mono16": 0.02, "neutrophil": 0.15, "cDC": 0.01}
BLOOD |= {"pDC": 0.008, "NKdim": 0.09, "NKbright": 0.01, "basophil": 0.006}
LYMPHOCYTES = ("CD3", "CD19", "CD20")


def blood(
    n: int,
    shares: dict[str, float],
    *,
    seed: int = 0,
    markers: list[str] | None = None,
    doublets: float = 0.01,
    background: dict[str, float] | None = None,
    gain: dict[str, float] | None = None,
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Events x markers (arcsinh, cofactor 5), the markers, and the lineage of every event.

    `background` gives a mean count on all cells of a marker, `gain` a factor on a marker's signal.
    """
    rng = np.random.default_rng(seed)
    names = list(markers or MARKERS)
    kinds = list(shares)
    p = np.array([shares[k] for k in kinds], float)
    which = rng.choice(len(kinds), n, p=p / p.sum())

    def counts(kind: np.ndarray) -> np.ndarray:
        level = np.array([[CELLS[k][1].get(m, 0.0) * (gain or {}).get(m, 1.0) for m in names] for k in kinds])
        spread = np.exp(rng.normal(-0.1, 0.45, (len(kind), len(names))))
        signal = level[kind] * spread
        hump = rng.random(signal.shape) < 0.45  # the rest of the negative cells are exact zeros
        noise = np.where(hump, np.abs(rng.normal(0, 2.2, signal.shape)), 0.0)
        base = np.array([(background or {}).get(m, 0.0) for m in names])
        return rng.poisson(signal + base * np.exp(rng.normal(-0.1, 0.4, signal.shape))) + noise

    x = counts(which)
    truth = np.array([CELLS[k][0] for k in kinds], object)[which]
    double = rng.random(n) < doublets
    other = rng.choice(len(kinds), n, p=p / p.sum())
    x[double] += counts(other)[double]
    truth[double & (other != which)] = "doublet"
    x = np.where(x > 0, x - rng.random(x.shape) * (x > 1), 0.0)
    return np.arcsinh(x / 5).astype(np.float32), names, truth
