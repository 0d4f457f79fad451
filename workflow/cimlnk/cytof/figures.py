"""Figures of the preparation steps: one style, the Agg backend, equal bytes for equal input."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEFORE, AFTER, MARK, QUIET = "#b2592c", "#1f6f8b", "#7a3e9d", "#9aa0a6"
MOST_POINTS = 4000
STYLE: dict[Any, Any] = {
    "svg.hashsalt": "cimlnk",
    "svg.fonttype": "path",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.dpi": 150,
}


@contextmanager
def figure(path: str | Path, width: float, height: float, *, dpi: float | None = None) -> Iterator[Figure]:
    """A figure of the given size in inches, saved to `path` (.svg or .png, at `dpi`) on leaving the block."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        fig = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(fig)
        yield fig
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        kind = Path(path).suffix.lstrip(".").lower()
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
        fig.savefig(path, format=kind, metadata=metadata, dpi=dpi or mpl.rcParams["savefig.dpi"])


def thin(n: int, most: int = MOST_POINTS) -> npt.NDArray[np.intp]:
    """At most `most` indices spread evenly over `n`: what a scatter plot shows of a large file."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, most)).astype(np.intp)) if n else np.empty(0, np.intp)
