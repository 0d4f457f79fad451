"""Batch correction of the components, only where the design lets batch and biology be distinguished."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.seeds import derive

PROTECTED = ("timepoint", "arm")


def explained(scores: np.ndarray, groups: np.ndarray) -> float:
    """Share of the components' total variance that lies between groups (0 to 1)."""
    _, codes = np.unique(groups.astype(str), return_inverse=True)
    sizes = np.bincount(codes).astype(float)
    centred = scores - scores.mean(axis=0, dtype=np.float64)
    between = 0.0
    for column in centred.T:
        means = np.bincount(codes, weights=column) / sizes
        between += float((sizes * means**2).sum())
    total = float((centred.astype(np.float64) ** 2).sum())
    return between / total if total > 0 else 0.0


def harmonise(
    scores: np.ndarray,
    samples: np.ndarray,
    sheet: pd.DataFrame,
    *,
    settings: Mapping[str, Any],
    verdict: tuple[bool, str],
    seed: int,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Apply Harmony (Korsunsky et al., Nat Methods 2019), or say why not.

    Parameters
    ----------
    scores
        cells x components.
    samples
        Sample of each cell.
    sheet
        Sample sheet, index sample.
    settings
        ``rna.integrate`` of the config.
    verdict
        Of the design check: whether a correction is allowed, and why (not).
    seed
        The cohort's seed.

    Returns
    -------
    corrected
        cells x components, float32; `scores` itself if nothing was done.
    record
        method, key, reason, and the share of variance between batches, time points and arms before and after.
    """
    key = settings["key"]
    columns = {c: sheet[c].astype(str).reindex(samples).to_numpy() for c in dict.fromkeys((key, *PROTECTED))}
    before = {c: round(explained(scores, v), 6) for c, v in columns.items()}
    record: dict[str, Any] = {"asked": settings["method"], "method": "none", "key": key, "explained_before": before}
    if settings["method"] == "none":
        record["reason"] = "switched off by rna.integrate.method"
    elif not verdict[0]:
        record["reason"] = verdict[1]
    if "reason" in record:
        return scores, record
    import harmonypy
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        fitted = harmonypy.run_harmony(
            scores.astype(np.float64),
            pd.DataFrame({key: columns[key]}),
            [key],
            theta=settings["theta"],
            random_state=derive(seed, "rna harmony") % 2**31,
            ncores=1,
            verbose=False,
        )
    corrected = np.ascontiguousarray(fitted.Z_corr, dtype=np.float32)
    if corrected.shape != scores.shape:
        raise ValueError(f"harmonypy returned {corrected.shape} for {scores.shape}")
    record.update(method="harmony", reason=verdict[1], theta=settings["theta"])
    record["explained_after"] = {c: round(explained(corrected, v), 6) for c, v in columns.items()}
    return corrected, record
