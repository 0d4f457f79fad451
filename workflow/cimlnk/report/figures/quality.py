"""Gate yields and the share of NK cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cimlnk.report.style import GATES, pyplot, short, tell


def gate_yields(gates: pd.DataFrame, samples: pd.DataFrame, unit: str = "events") -> Any:
    """Share of each sample's events that remain after every gate, samples as columns, gates as rows."""
    plt = pyplot()
    # a gate's parts, named "gate (channel side)", are in the table; the figure shows whole gates
    gates = gates[~gates["gate"].str.contains("(", regex=False)]
    steps = gates.drop_duplicates("gate").sort_values("step")["gate"].tolist()
    wide = gates.pivot_table(index="gate", columns="sample", values="n_out", aggfunc="first").reindex(steps)
    first = gates.sort_values("step").groupby("sample")["n_in"].first()
    share = wide.div(first.reindex(wide.columns), axis=1)
    columns = samples.sort_values(["arm", "patient", "day"])["sample"]
    share = share[[c for c in columns if c in share.columns]]
    figure, axis = plt.subplots(figsize=(min(14, 0.17 * share.shape[1] + 3.2), 0.3 * len(steps) + 2.0))
    drawn = axis.imshow(share, aspect="auto", cmap="viridis", vmin=0, vmax=1)
    axis.set_yticks(range(len(steps)), [GATES.get(s, s) for s in steps])
    axis.set_xticks(
        range(share.shape[1]),
        [short(c) for c in share.columns],
        rotation=90,
        fontsize=5.5 if share.shape[1] > 30 else 7,
    )
    axis.grid(False)
    y, x = np.where(share.notna().to_numpy())
    words = [
        f"{share.columns[b]}, {GATES.get(steps[a], steps[a])}: {100 * share.iat[a, b]:.1f} %"
        for a, b in zip(y, x, strict=True)
    ]
    tell(axis, x, y, texts=words)
    figure.colorbar(drawn, ax=axis, shrink=0.8, label=f"share of the sample's {unit}")
    return figure


def nk_share(summary: pd.DataFrame, samples: pd.DataFrame, *, of: str = "n_lymphocytes") -> Any:
    """NK share of the lymphocytes (or live single events) of a sample, with the range that uncertain gates allow."""
    plt = pyplot()
    rows = summary.merge(samples[["sample", "patient", "day", "arm", "timepoint"]], on="sample")
    rows = rows[(rows[of] > 0) & ~rows["left_out"]].sort_values(["arm", "patient", "day"])
    figure, axis = plt.subplots(figsize=(min(14, 0.16 * len(rows) + 2.5), 3.0))
    axis.plot(range(len(rows)), rows["n_nk"] / rows[of], "o", markersize=3.5, color="#6a1fa8")
    axis.vlines(
        range(len(rows)),
        rows["n_nk_low"] / rows[of],
        (rows["n_nk_high"] / rows[of]).clip(upper=1.0),
        color="#6a1fa8",
        linewidth=0.9,
    )
    whole = {"n_lymphocytes": "lymphocytes", "n_live_singlets": "live single events"}[of]
    share = rows["n_nk"] / rows[of]
    words = [f"{name}: {100 * s:.1f} % of {whole}" for name, s in zip(rows["sample"], share, strict=True)]
    tell(axis, range(len(rows)), share, texts=words)
    axis.set_xticks(
        range(len(rows)), [short(s) for s in rows["sample"]], rotation=90, fontsize=5.5 if len(rows) > 30 else 7
    )
    axis.set_ylabel(f"NK / {whole}")
    axis.set_ylim(bottom=0)
    return figure
