"""Grids of panels that are emptied and filled anew: axes and their ticks cost more to make than what patients' show."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

MOST_KEPT = 4  # shapes of grids; a site of patients alternates between few
_free: dict[Hashable, tuple[Any, Any]] = {}


def taken(key: Hashable) -> tuple[Any, Any] | None:
    """An empty figure and its axes that were kept under `key`, and are not any longer; None if there are none."""
    return _free.pop(key, None)


def keep(figure: Any, axes: Any, key: Hashable) -> None:
    """Empty a figure whose panels share logarithmic and day axes, and keep it for the next that asks with `key`.

    What is drawn in it next is the same to the byte as in a new one where scales, ticks and the limits of the vertical
    axis are set anew. (Limits left to matplotlib may depend on what it looked at in between.)
    """
    for legend in list(figure.legends):
        legend.remove()
    axes[0, 0].set_xscale("linear")  # of all: they share it; limits depend on when a scale is set
    axes[0, 0].set_yscale("linear")
    for number, axis in enumerate(axes.flat):
        for artist in [*axis.lines, *axis.collections, *axis.patches, *axis.texts]:
            artist.remove()
        for clear in (axis.set_title, axis.set_xlabel, axis.set_ylabel):
            clear("")
        axis.set_visible(True)
        axis.relim()
        axis.set_xlim(0, 1, auto=True)
        axis.set_ylim(0, 1, auto=True)
        axis.tick_params(axis="x", which="both", labelbottom=number >= axes.size - axes.shape[1])
    figure.cimlnk_told = []
    _free[key] = figure, axes
    while len(_free) > MOST_KEPT:
        del _free[next(iter(_free))]
