"""Every gate of a sample at a glance: the density it was found in, the threshold with its interval, what is kept.

All of it is drawn on one canvas in pixels: axes with ticks of their own, laid out by measuring their text, cost four
times as much, for as many samples as a cohort has.
"""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.figures import AFTER, BEFORE, MARK, QUIET
from cimlnk.cytof.lineage.markers import LINEAGES

from .canvas import Canvas
from .picture import Floats, Panel, Picture, Plane, load_picture

log = logging.getLogger("cimlnk.cytof")

COLUMNS = 5
WIDTH, HEIGHT, HEAD = 230, 172, 24  # pixels of a cell and of the title
LEFT, RIGHT, TOP, BOTTOM = 34, 12, 28, 30  # of a cell around its plot
# colours of Okabe and Ito, distinct for all kinds of colour vision
_SHADES = ("#56B4E9", "#009E73", "#E69F00", "#F0E442", "#CC79A7", "#D55E00", "#8c6d31", "#000000", "#bbbbbb")
COLOURS = dict(zip(LINEAGES, _SHADES, strict=True))


class Box(NamedTuple):
    """The plot of a cell in pixels from the top left corner, and the data's range in it."""

    left: float
    top: float
    right: float
    bottom: float
    x_low: float = 0.0
    x_high: float = 1.0
    y_low: float = 0.0
    y_high: float = 1.0

    def at_x(self, x: NDArray[np.floating] | float) -> NDArray[np.floating]:
        share = (np.asarray(x) - self.x_low) / (self.x_high - self.x_low)
        return self.left + np.clip(share, 0, 1) * (self.right - self.left)

    def at_y(self, y: NDArray[np.floating] | float) -> NDArray[np.floating]:
        share = (np.asarray(y) - self.y_low) / (self.y_high - self.y_low)
        return self.bottom - np.clip(share, 0, 1) * (self.bottom - self.top)


def draw_all(pictures: Sequence[str | Path], figures: Sequence[str | Path]) -> None:
    """Draw the gates of many samples: each file of :func:`.picture.save_picture` as the PNG at its place in `figures`.

    Raises
    ------
    UserError
        If a file is damaged; a sample that was left out is none: its figure shows why.
    """
    for picture, figure in zip(pictures, figures, strict=True):
        draw_gates(load_picture(picture), figure)
    log.info("%d figures", len(figures))


def draw_gates(picture: Picture, path: str | Path) -> None:
    """Draw one sample's gates as PNG; of a sample that is left out, the reason.

    One panel per channel of a gate: density (square-root scale, so that small populations show) of the events the
    threshold was looked for in, the threshold, its interval shaded, the side kept in colour. With lineages, the usual
    two-dimensional plots (CD3 x CD56, CD56 x CD16, CD14 x CD19), every live event in the colour of its lineage. Last
    the events kept from gate to gate, and flow rate and signal over the acquisition with masked stretches.
    """
    if picture.left_out is not None:
        lines = textwrap.wrap(f"left out: {picture.left_out}", 96) or ["left out"]
        canvas = Canvas(600, 40 + 14 * len(lines))
        canvas.text(300, canvas.height / 2, "\n".join(lines), size=7, align="center", middle=True)
        canvas.save(path)
        return
    n = len(picture.panels) + len(picture.planes) + 2
    canvas = Canvas(WIDTH * COLUMNS, HEAD + HEIGHT * -(-n // COLUMNS))
    canvas.text(canvas.width / 2, 16, picture.title, size=9, align="center")
    boxes = [_cell(i) for i in range(n)]
    for box, panel in zip(boxes, picture.panels, strict=False):
        _density(canvas, box, panel)
    for i, (box, plane) in enumerate(zip(boxes[len(picture.panels) :], picture.planes, strict=False)):
        _plane(canvas, box, picture, plane=plane, legend=i == len(picture.planes) - 1)
    _yields(canvas, boxes[-2], picture.yields)
    _acquisition(canvas, boxes[-1], picture.course, reason=picture.course_reason)
    canvas.save(path)


def _cell(i: int) -> Box:
    left, top = i % COLUMNS * WIDTH, HEAD + i // COLUMNS * HEIGHT
    return Box(left + LEFT, top + TOP, left + WIDTH - RIGHT, top + HEIGHT - BOTTOM)


def _title(canvas: Canvas, box: Box, *lines: str) -> None:
    for i, line in enumerate(reversed([x for x in lines if x])):
        canvas.text((box.left + box.right) / 2, box.top - 5 - 11 * i, line, size=6.5, align="center")


def _words(canvas: Canvas, box: Box, title: str, *, text: str | None) -> None:
    _title(canvas, box, title)
    wrapped = "\n".join(textwrap.wrap(text or "", 42))
    canvas.text((box.left + box.right) / 2, (box.top + box.bottom) / 2, wrapped, size=6, align="center", middle=True)


def _x_axis(canvas: Canvas, box: Box, label: str) -> None:
    canvas.line([(box.left, box.bottom), (box.right, box.bottom)], "#000000", 0.8)
    for value, text in ticks(box.x_low, box.x_high):
        x = float(box.at_x(value))
        canvas.line([(x, box.bottom), (x, box.bottom + 3)], "#000000", 0.8)
        canvas.text(x, box.bottom + 12, text, size=6, align="center")
    canvas.text((box.left + box.right) / 2, box.bottom + 24, label, size=6.5, align="center")


def _y_axis(canvas: Canvas, box: Box, label: str) -> None:
    canvas.line([(box.left, box.top), (box.left, box.bottom)], "#000000", 0.8)
    for value, text in ticks(box.y_low, box.y_high):
        y = float(box.at_y(value))
        canvas.line([(box.left - 3, y), (box.left, y)], "#000000", 0.8)
        canvas.text(box.left - 5, y, text, size=6, align="right", middle=True)
    canvas.text(box.left - 24, (box.top + box.bottom) / 2, label, size=6.5, align="center", middle=True, turned=True)


def ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Round numbers between two values, at most `most`, and how they are written."""
    step = (high - low) / most
    size = 10.0 ** np.floor(np.log10(step))
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= step * 0.999)
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    values = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    return [
        (float(v), f"{v:,.{digits}f}".replace("-0", "0") if abs(v) < step / 2 else f"{v:,.{digits}f}") for v in values
    ]


def _density(canvas: Canvas, cell: Box, panel: Panel) -> None:
    if panel.reason is not None or not panel.lines:
        _words(canvas, cell, panel.gate, text=panel.reason)
        return
    x, f, keep = panel.curve.astype(float)
    box = cell._replace(x_low=x[0], x_high=x[-1], y_high=max(float(f.max()) * 1.05, 1e-9))
    for line in panel.lines:
        a, b = float(box.at_x(line.low)), float(box.at_x(line.high))
        canvas.block(a, box.top, right=b, bottom=box.bottom, colour=BEFORE, alpha=0.18)
    for side, colour in ((keep > 0, AFTER), (keep == 0, QUIET)):
        if side.any():
            height = box.at_y(np.where(side, f, 0))
            edge = np.column_stack([box.at_x(x), height])
            canvas.fill([(box.left, box.bottom), *edge, (box.right, box.bottom)], colour, 0.7)
    for line in panel.lines:
        if box.x_low <= line.value <= box.x_high:
            at = float(box.at_x(line.value))
            canvas.line([(at, box.bottom), (at, box.top)], MARK if line.pooled else BEFORE, 1.4)
    _title(canvas, box, panel.gate, f"{panel.method}, {panel.share}")
    _x_axis(canvas, box, panel.marker)


def _plane(canvas: Canvas, cell: Box, picture: Picture, *, plane: Plane, legend: bool) -> None:
    """Live events in two markers, coloured by lineage, with the gates' cuts in either."""
    x, y = picture.events[:, plane.x], picture.events[:, plane.y]
    box = cell._replace(**_range("x", x, plane.x_lines), **_range("y", y, plane.y_lines))
    present = [code for code in range(len(LINEAGES)) if (picture.lineage == code).any()]
    # what is looked for lies on top
    for code in sorted(present, key=lambda c: LINEAGES[c] == picture.target):
        own = picture.lineage == code
        canvas.dots(box.at_x(x[own]), box.at_y(y[own]), COLOURS[LINEAGES[code]])
    for value in plane.x_lines:
        at = float(box.at_x(value))
        canvas.line([(at, box.bottom), (at, box.top)], BEFORE, 1.1)
    for value in plane.y_lines:
        at = float(box.at_y(value))
        canvas.line([(box.left, at), (box.right, at)], BEFORE, 1.1)
    _title(canvas, box, "live single events by lineage")
    _x_axis(canvas, box, picture.markers[plane.x])
    _y_axis(canvas, box, picture.markers[plane.y])
    if legend:
        for i, code in enumerate(present):
            at = box.top + 5 + 11 * i
            canvas.block(box.right - 56, at - 3, right=box.right - 50, bottom=at + 3, colour=COLOURS[LINEAGES[code]])
            canvas.text(box.right - 46, at, LINEAGES[code], size=6, middle=True)


def _range(axis: str, values: Floats, lines: Sequence[float]) -> dict[str, float]:
    """The range of a plot with a margin; of no values, one around its thresholds."""
    seen = [*values[np.isfinite(values)], *lines] or [0.0, 1.0]
    low, high = float(min(seen)), float(max(seen))
    margin = 0.04 * (high - low) or 0.5
    return {f"{axis}_low": low - margin, f"{axis}_high": high + margin}


def _yields(canvas: Canvas, cell: Box, yields: Sequence[tuple[str, int]]) -> None:
    box = cell._replace(left=cell.left + 44, right=cell.right - 26, bottom=cell.bottom + 16)
    box = box._replace(x_high=max([n for _, n in yields] + [1]))
    _title(canvas, box, "events kept")
    step = (box.bottom - box.top) / max(len(yields), 1)
    for i, (gate, n) in enumerate(yields):
        top, end = box.top + i * step, float(box.at_x(n))
        canvas.block(box.left, top, right=end, bottom=top + 0.8 * step, colour=AFTER)
        canvas.text(box.left - 4, top + 0.4 * step, gate, size=5.5, align="right", middle=True)
        canvas.text(end + 3, top + 0.4 * step, f"{n:,}", size=5.5, middle=True)


def _acquisition(canvas: Canvas, cell: Box, course: Floats, *, reason: str | None) -> None:
    if reason is not None or not course.shape[1]:
        _words(canvas, cell, "acquisition", text=reason)
        return
    start, stop, share, signal_z, bad = course.astype(float)
    box = cell._replace(x_low=start[0], x_high=stop[-1], y_high=1.05)
    middle = box.at_x((start + stop) / 2)
    for a, b in zip(box.at_x(start[bad > 0]), box.at_x(stop[bad > 0]), strict=True):
        canvas.block(a, box.top, right=b, bottom=box.bottom, colour=QUIET, alpha=0.5)
    scale = max(float(np.abs(signal_z).max()), 6.0)
    canvas.line(np.column_stack([middle, box.at_y(0.5 + signal_z / (2 * scale))]), BEFORE, 0.9)
    canvas.line(np.column_stack([middle, box.at_y(share)]), AFTER, 1.2)
    _title(canvas, box, "acquisition")
    _x_axis(canvas, box, "time; events (blue), signal (brown)")
