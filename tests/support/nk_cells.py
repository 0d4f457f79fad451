"""NK cells and the other cells of their tubes, made up for tests of positivity and names.

Nothing here reads the definitions or the synthetic cohort: levels are round numbers a cytometrist would write down
(counts at the peak), channels have spikes of exact zeros, humps of background and log-normal spread.
"""

from __future__ import annotations

import numpy as np

# counts at the peak; markers that are not named have background alone
KINDS: dict[str, dict[str, float]] = {
    "bright": {"CD56": 700, "CD16": 3, "NKG2A": 120, "CD94": 200, "CD62L": 90, "CD127": 60, "CD27": 30, "CD7": 130},
    "early": {"CD56": 90, "CD16": 170, "NKG2A": 80, "CD94": 70, "CD7": 120},
    "licensed": {"CD56": 85, "CD16": 160, "KIR2DL1": 110, "KIR2DL2_3": 60, "CD7": 110},
    "late": {"CD56": 80, "CD16": 190, "CD57": 220, "KIR2DL1": 40, "CD7": 100},
    "nkg2c": {"CD56": 80, "CD16": 170, "CD57": 110, "NKG2C": 110, "KIR2DL2_3": 120, "CD2": 120, "CD7": 30},
    "product": {"CD56": 240, "CD16": 8, "CD25": 260, "CD69": 280, "NKG2A": 90, "HLA-DR": 40, "NKp44": 40, "Ki-67": 6,
                "CD94": 80, "CD7": 120},
    "cycling": {"CD56": 300, "CD16": 70, "Ki-67": 260, "CD38": 300, "HLA-DR": 90, "NKG2A": 100, "CD94": 80, "CD7": 130},
    "memory": {"CD56": 260, "CD16": 110, "NKG2A": 160, "CD94": 140, "CD2": 110, "TIGIT": 70, "NKp30": 60, "CD7": 130},
}  # fmt: skip
NAMES = {
    "bright": "CD56bright", "early": "CD56dim_NKG2A", "licensed": "CD56dim_KIR", "late": "CD56dim_CD57",
    "nkg2c": "adaptive", "product": "CIML_activated", "cycling": "proliferating", "memory": "memory_like",
}  # fmt: skip
OTHERS: dict[str, dict[str, float]] = {
    "T": {"CD3": 400, "CD7": 90, "CD2": 90, "CD127": 70, "CD27": 80, "CD62L": 60, "CD38": 20},
    "B": {"CD19": 300, "HLA-DR": 350, "CD62L": 50, "CD38": 40},
    "monocyte": {"CD14": 500, "HLA-DR": 250, "CD38": 70, "CD62L": 50},
}
MARKERS = (
    "CD3", "CD19", "CD14", "CD7", "CD56", "CD16", "CD94", "CD127", "CD27", "CD62L", "NKG2A", "NKG2C", "CD57", "KIR2DL1",
    "KIR2DL2_3", "KIR3DL1", "CD25", "CD69", "HLA-DR", "CD38", "Ki-67", "CD2", "TIGIT", "NKp30", "NKp44",
)  # fmt: skip


def draw(kind: str, n: int, rng: np.random.Generator, *, gain: dict[str, float] | None = None) -> np.ndarray:
    """Counts (n × MARKERS) of one kind of cell; `gain` multiplies channels (a day, an instrument)."""
    levels = {**KINDS, **OTHERS}[kind]
    size = rng.lognormal(0, 0.2, n)  # the cell's own size moves all its channels together
    out = np.zeros((n, len(MARKERS)), np.float64)
    for j, marker in enumerate(MARKERS):
        signal = levels.get(marker, 0.0) * rng.lognormal(0, 0.4, n) * size
        hump = rng.gamma(0.6, 2.0, n) * (rng.random(n) < 0.5)  # background: half exact zeros before counting
        out[:, j] = rng.poisson((signal + hump) * (gain or {}).get(marker, 1.0))
    return out


def tubes(
    kinds: dict[str, int],
    *,
    seed: int = 1,
    batches: int = 1,
    others: tuple[str, ...] = tuple(OTHERS),
    cofactor: float = 5.0,
    scale: float = 1.0,
    shifts: dict[str, float] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values (arcsinh), kind, batch and lineage of every cell, and counts' scale applied: one tube a batch.

    `kinds` are NK cells per batch; `shifts` multiplies every further batch's channels by exp(shift).
    """
    rng = np.random.default_rng(seed)
    values, kind, batch, lineage = [], [], [], []
    for b in range(batches):
        gain = {m: float(np.exp(rng.normal(0, s))) if b else 1.0 for m, s in (shifts or {}).items()}
        for name, n in {**kinds, **dict.fromkeys(others, 600)}.items():
            values.append(np.arcsinh(draw(name, n, rng, gain=gain) * scale / cofactor))
            kind += [name] * n
            batch += [f"day{b + 1}"] * n
            lineage += ["NK" if name in KINDS else name] * n
    stacked = np.vstack(values).astype(np.float32)
    return stacked, np.array(kind), np.array(batch), np.array(lineage), np.arange(len(kind))
