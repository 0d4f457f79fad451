"""A printed page: A4, text in lines of measured width, and axes at given places; the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from cimlnk.report.style import pyplot

A4 = (8.27, 11.69)  # inches
LEFT, RIGHT = 0.075, 0.925  # of the width
INK, SOFT, ACCENT, WARN = "#1c1c22", "#5c5c66", "#6a1fa8", "#b3261e"
LINE = 1.42  # of the font size


@contextmanager
def document(path: str | Path) -> Iterator[Any]:
    """A PDF that pages are saved to, without date and software stamps; text stays text."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    plt = pyplot()
    rc = {"figure.constrained_layout.use": False, "pdf.fonttype": 42, "font.size": 8, "axes.titlesize": 9}
    with plt.rc_context(rc), PdfPages(path, metadata={"CreationDate": None, "Creator": None, "Producer": None}) as pdf:
        yield pdf


class Sheet:
    """One page, filled from the top.

    Parameters
    ----------
    pdf
        Of :func:`document`.
    title, lead
        At the head of the page.
    foot
        At its foot.
    """

    def __init__(self, pdf: Any, *, title: str, lead: str, foot: str) -> None:
        self.pdf = pdf
        self.figure = Figure(figsize=A4)  # laid out by hand: `document` turns the layout engine off
        self.y = 0.957
        self.write(title, size=15, weight="bold")
        self.write(lead, size=9, colour=SOFT)
        self.figure.text(LEFT, 0.025, foot, fontsize=7, color=SOFT)

    def write(
        self, text: str, *, size: float = 8.6, weight: str = "normal", colour: str = INK, after: float = 0.006
    ) -> None:
        """A paragraph, broken into lines of the page's width."""
        step = size * LINE / 72 / A4[1]
        for line in lines(text, size, weight):
            self.y -= step
            self.figure.text(LEFT, self.y, line, fontsize=size, fontweight=weight, color=colour, va="baseline")
        self.y -= after

    def axes(self, height: float, columns: Sequence[tuple[float, float]] = ((0.0, 1.0),)) -> list[Any]:
        """Axes side by side, `height` inches tall, each from and to a share of the page's width."""
        tall = height / A4[1]
        self.y -= tall + 0.022
        width = RIGHT - LEFT
        made = [self.figure.add_axes((LEFT + a * width, self.y, (b - a) * width, tall)) for a, b in columns]
        self.y -= 0.045
        return made

    def table(
        self, head: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[float], *, size: float = 7.6
    ) -> None:
        """Rows of text, columns at the given shares of the page's width; a cell that is too long is cut short."""
        step, total = size * 1.75 / 72 / A4[1], sum(widths)
        for number, row in enumerate([head, *rows]):
            self.y -= step
            at = LEFT
            for cell, width in zip(row, widths, strict=True):
                room = width / total * (RIGHT - LEFT)
                weight = "bold" if number == 0 else "normal"
                self.figure.text(
                    at, self.y, fit(cell, size, weight, room=room), fontsize=size, fontweight=weight, color=INK
                )
                at += room
            if number == 0:
                line = Line2D([LEFT, RIGHT], [self.y - 0.3 * step] * 2, color="#bbbbbb", linewidth=0.6)
                self.figure.add_artist(line)
        self.y -= 0.012

    def close(self) -> None:
        """Add the page to the document."""
        self.pdf.savefig(self.figure)


def measure(text: str, size: float, weight: str = "normal") -> float:
    """Width of a text as a share of the page's."""
    prop = FontProperties(family="DejaVu Sans", size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, prop, False)[0]) / 72 / A4[0]


def lines(text: str, size: float, weight: str = "normal") -> list[str]:
    """`text` broken at spaces where it would leave the page."""
    made, line, room = [], "", RIGHT - LEFT
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and measure(longer, size, weight) > room:
            made.append(line)
            line = word
        else:
            line = longer
    return [*made, line] if line else made


def fit(text: str, size: float, weight: str, *, room: float) -> str:
    """`text`, cut short with an ellipsis if it is wider than `room`."""
    if measure(text, size, weight) <= room * 0.97:
        return text
    while text and measure(f"{text}…", size, weight) > room * 0.97:
        text = text[:-1]
    return f"{text}…"
