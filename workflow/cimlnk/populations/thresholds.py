"""Where a marker becomes positive."""

from __future__ import annotations

import numpy as np
import pandas as pd

COUNT_10 = float(np.arcsinh(10 / 5))  # ten ion counts at the usual cofactor of 5


def two_modes(values: np.ndarray, n_iter: int = 200) -> tuple[float, float, np.ndarray]:
    """Fit two normal distributions to a sample by expectation–maximisation, started from its outer quantiles.

    Returns
    -------
    threshold
        Where the two components are equally likely, between their means.
    separation
        Ashman's D (Ashman, Bird & Zepf 1994): distance of the means in units of the mean variance; above 2 the two
        modes are distinct.
    weights
        Shares of the lower and the upper component.
    """
    x = values.astype(np.float64)
    mean = np.quantile(x, [0.1, 0.95])
    sd = np.full(2, max(x.std() / 2, 1e-3))
    weight = np.array([0.7, 0.3])
    floor = 0.05  # keeps a component from shrinking onto the spike of exact zeros
    for _ in range(n_iter):
        logp = np.log(weight) - np.log(sd) - 0.5 * ((x[:, None] - mean) / sd) ** 2
        logp -= logp.max(axis=1, keepdims=True)
        r = np.exp(logp)
        r /= r.sum(axis=1, keepdims=True)
        total = r.sum(axis=0) + 1e-9
        new_mean = (r * x[:, None]).sum(axis=0) / total
        sd = np.sqrt((r * (x[:, None] - new_mean) ** 2).sum(axis=0) / total).clip(floor)
        weight = total / total.sum()
        done = np.abs(new_mean - mean).max() < 1e-4
        mean = new_mean
        if done:
            break
    order = np.argsort(mean)
    mean, sd, weight = mean[order], sd[order], weight[order]
    grid = np.linspace(mean[0], mean[1], 512)
    logp = np.log(weight) - np.log(sd) - 0.5 * ((grid[:, None] - mean) / sd) ** 2
    threshold = float(grid[np.argmin(np.abs(logp[:, 0] - logp[:, 1]))])
    separation = float(np.sqrt(2) * (mean[1] - mean[0]) / np.sqrt((sd**2).sum()))
    return threshold, separation, weight


def protein_thresholds(
    values: np.ndarray, features: list[str], sample_codes: np.ndarray, per_sample: int = 500
) -> pd.DataFrame:
    """Positivity threshold per marker, from the pooled cells of all samples, each sample weighing the same.

    A marker with two distinct modes (Ashman's D > 2, each with at least 1 % of the cells) is cut between them. A
    marker without is cut at ten ion counts (arcsinh(10/5) = 1.44), and the reason says so: the data do not show a
    boundary, and a shared fixed one is at least the same for everybody.

    Parameters
    ----------
    values
        Cells × markers, arcsinh scale.
    sample_codes
        Integer sample of each cell.
    per_sample
        Cells taken from each sample, evenly spaced in the file's order.
    """
    rows = np.concatenate(
        [
            members[np.linspace(0, len(members) - 1, min(per_sample, len(members))).astype(int)]
            for code in np.unique(sample_codes)
            if len(members := np.flatnonzero(sample_codes == code))
        ]
    )
    table: list[tuple[str, float, str, str | None]] = []
    for column, feature in enumerate(features):
        threshold, separation, weight = two_modes(values[rows, column])
        if separation > 2 and weight.min() >= 0.01:
            table.append((feature, threshold, "mixture", None))
        else:
            table.append((feature, COUNT_10, "fixed", f"no two distinct modes (D = {separation:.2f})"))
    return pd.DataFrame(table, columns=["feature", "threshold", "method", "reason"])


def gene_thresholds(features: list[str]) -> pd.DataFrame:
    """For genes a cell is positive if any molecule was counted."""
    return pd.DataFrame({"feature": features, "threshold": 0.0, "method": "counted", "reason": None})
