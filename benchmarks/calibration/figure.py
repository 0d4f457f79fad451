"""The figure of "What six patients can and cannot show"."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.dynamics.abundance.power import detectable

METHODS = {
    "beta-binomial mixed model": "#1b6ca8",
    "paired t on log-ratios": "#7a9e3f",
    "paired signed-rank": "#c98a1b",
    "mixed, no overdispersion": "#a23b3b",
    "per cell": "#6b6b6b",
}


def draw(abundance: pd.DataFrame, seed: int, path: Path) -> None:
    """Three panels: false positives, power, and the smallest detectable fold by number of patients."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.hashsalt": f"cimlnk-{seed}", "font.size": 8, "svg.fonttype": "path"}):
        figure, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
        nulls = abundance[abundance["power"].isna()].groupby("method")["type_1"].agg(["min", "mean", "max"])
        power = abundance[abundance["power"].notna()].groupby("method")["power"].mean()
        for k, (method, colour) in enumerate(METHODS.items()):
            low, mean, high = nulls.loc[method]
            left.plot([low, high], [k, k], color=colour, lw=3, solid_capstyle="butt")
            left.plot([mean], [k], "o", color=colour, ms=5)
            honest = high <= 0.1
            middle.barh(k, power[method], color=colour, alpha=1.0 if honest else 0.35)
            if not honest:
                middle.text(0.04, k, "not valid: finds as much where nothing is", va="center", fontsize=7)
        left.axvspan(0.03, 0.07, color="0.9", zorder=0)
        left.set(
            xlim=(0, 1), xlabel="false positives at nominal 0.05", yticks=range(len(METHODS)), title="No change planted"
        )
        left.set_yticklabels(list(METHODS))
        left.set_ylim(-0.6, len(METHODS) - 0.4)
        middle.set_ylim(-0.6, len(METHODS) - 0.4)
        middle.set(xlim=(0, 1), xlabel="share of planted changes found", yticks=[], title="±1 log2 planted, 6 patients")
        patients = np.arange(3, 25)
        for sd, shade in ((0.25, "0.65"), (0.5, "0.35"), (1.0, "0.0")):
            least = [detectable(sd * np.sqrt(2 / n), 3.0 * (n - 1), 0.8) for n in patients]
            right.plot(patients, np.exp2(least), color=shade, label=f"{sd:g} log2")
        right.axvline(6, color="#1b6ca8", lw=1, ls=":")
        right.set(
            yscale="log", xlabel="patients", ylabel="smallest fold found in 80 %", title="Four time points, one test"
        )
        right.set_yticks([1.25, 1.5, 2, 3, 5, 8], labels=["1.25", "1.5", "2", "3", "5", "8"])
        right.minorticks_off()
        right.legend(title="noise of one sample", frameon=False)
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        plt.close(figure)
