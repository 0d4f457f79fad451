"""The before/after figure of bead normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cimlnk.cytof.figures import AFTER, BEFORE, QUIET, figure, thin
from cimlnk.cytof.prepare import columns_of_masses

from .normalise import Normalised
from .slopes import running_median


def draw_beads(path: str | Path, result: Normalised, channels: Sequence[str], *, dna: Sequence[int]) -> None:
    """Beads over time, raw above and normalised below (dots, running median, baseline), and the bead gate beside."""
    masses, hours = result.bead_masses, (result.bead_time - result.bead_time[0]) / 60_000
    colours = ["#1f6f8b", "#b2592c", "#7a3e9d", "#4d7c3a", "#8a6d1d", "#444444"]
    with figure(path, 9, 4.4) as fig:
        grid = fig.subplot_mosaic([["before", "gate"], ["after", "gate"]], width_ratios=[1.7, 1])
        top = float(np.quantile(np.concatenate([result.before, result.after]), 0.999)) * 1.1
        shown = thin(len(hours))
        for name, values in (("before", result.before), ("after", result.after)):
            ax = grid[name]
            for c, mass in enumerate(masses):
                colour = colours[c % len(colours)]
                ax.plot(hours[shown], values[shown, c], ".", ms=1.5, alpha=0.35, color=colour, rasterized=True)
                ax.plot(hours, running_median(values[:, c], result.window), lw=1.2, color=colour, label=str(mass))
                ax.axhline(result.baseline[c], lw=0.5, ls=":", color=colour)
            drift = result.drift_before if name == "before" else result.drift_after
            ax.set(ylim=(0, 1.25 * top), ylabel=f"{name}: bead counts")
            ax.set_title(f"{name}: drift {100 * drift:+.1f} % over the run")
        grid["after"].set_xlabel("acquisition time (min)")
        grid["before"].legend(ncols=len(masses), fontsize=6, loc="upper right", title="bead mass")
        _draw_gate(grid["gate"], result, channels, dna=dna)


def _draw_gate(ax, result: Normalised, channels: Sequence[str], *, dna: Sequence[int]) -> None:  # type: ignore[no-untyped-def]
    beads = np.arcsinh(result.events[:, columns_of_masses(channels, result.bead_masses, "bead")] / 5).min(axis=1)
    if dna:
        nucleus = np.arcsinh(result.events[:, columns_of_masses(channels, dna, "DNA")] / 5).max(axis=1)
    else:
        nucleus = np.zeros(len(beads))
    single, doublet = result.call.singlet, ~result.keep & ~result.call.singlet
    for mask, colour, label in (
        (result.keep, QUIET, "kept"),
        (single, AFTER, "beads"),
        (doublet, BEFORE, "bead doublets"),
    ):
        rows = np.flatnonzero(mask)
        rows = rows[thin(len(rows))]
        ax.plot(
            nucleus[rows],
            beads[rows],
            ".",
            ms=2,
            alpha=0.5,
            color=colour,
            label=f"{label}: {mask.sum()}",
            rasterized=True,
        )
    ax.set(xlabel="brightest DNA channel, arcsinh(x/5)", ylabel="weakest bead channel, arcsinh(x/5)", title="bead gate")
    ax.legend(fontsize=6, markerscale=3)
