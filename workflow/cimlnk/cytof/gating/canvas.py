"""A picture in pixels: fills, lines, dots and words, drawn in a few strokes and saved as a small PNG."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

DPI = 100
PALETTE = 256


class Canvas:
    """Collects what is to be drawn, in pixels from the top left corner; :meth:`save` draws it.

    Fills lie lowest, in the order given; on them dots, then lines, then words.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._fills: list[tuple[ArrayLike, str, float]] = []
        self._lines: list[tuple[ArrayLike, str, float]] = []
        self._dots: list[tuple[NDArray[np.floating], NDArray[np.floating], str]] = []
        self._words: list[tuple[float, float, str, dict[str, Any]]] = []

    def fill(self, corners: Sequence[Any], colour: str, alpha: float) -> None:
        self._fills.append((np.asarray(corners, float), colour, alpha))

    def block(self, left: float, top: float, *, right: float, bottom: float, colour: str, alpha: float = 1.0) -> None:
        """A filled rectangle."""
        self.fill([(left, bottom), (left, top), (right, top), (right, bottom)], colour, alpha)

    def line(self, points: ArrayLike, colour: str, width: float) -> None:
        """`width` in pixels."""
        self._lines.append((np.asarray(points, float), colour, width))

    def dots(self, x: NDArray[np.floating], y: NDArray[np.floating], colour: str) -> None:
        """Squares of two pixels; later ones lie on top."""
        self._dots.append((x, y, colour))

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float,
        align: Literal["left", "center", "right"] = "left",
        middle: bool = False,
        turned: bool = False,
    ) -> None:
        """Words of `size` points whose baseline (or middle) is at `y`."""
        how = {"fontsize": size, "ha": align, "va": "center" if middle else "baseline", "rotation": 90 * turned}
        if turned:
            how["rotation_mode"] = "anchor"
        self._words.append((x, y, words, how))

    def save(self, path: str | Path) -> None:
        """Draw, and write a PNG of at most 256 colours."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(png(self.pixels()))

    def pixels(self) -> NDArray[np.uint8]:
        """Height x width x 3."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.collections import LineCollection, PolyCollection
        from matplotlib.colors import to_rgba
        from matplotlib.figure import Figure
        from matplotlib.transforms import Affine2D

        fig = Figure(figsize=(self.width / DPI, self.height / DPI), dpi=DPI)
        canvas = FigureCanvasAgg(fig)
        place = Affine2D().scale(1, -1).translate(0, self.height)
        if self._fills:
            shades = [to_rgba(colour, alpha) for _, colour, alpha in self._fills]
            corners = [c for c, _, _ in self._fills]
            fig.add_artist(PolyCollection(corners, facecolors=shades, edgecolors="none", transform=place, zorder=1))
        if self._dots:
            fig.figimage(self._dotted(), zorder=2)
        if self._lines:
            widths = [72 / DPI * width for _, _, width in self._lines]
            shades = [to_rgba(colour) for _, colour, _ in self._lines]
            points = [p for p, _, _ in self._lines]
            fig.add_artist(LineCollection(points, colors=shades, linewidths=widths, transform=place, zorder=3))
        for x, y, words, how in self._words:
            fig.text(x, y, words, transform=place, zorder=4, **how)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[:, :, :3]

    def _dotted(self) -> NDArray[np.uint8]:
        from matplotlib.colors import to_rgba

        image = np.zeros((self.height, self.width, 4), np.uint8)
        for x, y, colour in self._dots:
            own = np.isfinite(x) & np.isfinite(y)
            row, column = (np.round(v[own]).astype(int) for v in (y, x))
            shade = np.round(255 * np.array(to_rgba(colour))).astype(np.uint8)
            for down in (-1, 0):
                for right in (-1, 0):
                    at = np.clip(row + down, 0, self.height - 1), np.clip(column + right, 0, self.width - 1)
                    image[at] = shade
        return image


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG with a palette: drawings have few colours, so that a third of the bytes tell as much.

    Colours that agree in the upper four bits of red, green and blue become their mean; beyond 256 such groups the
    rarer ones become the nearest of the others.

    Parameters
    ----------
    pixels
        Height x width x 3, 0-255.
    """
    high, wide = pixels.shape[:2]
    flat = pixels.reshape(-1, 3)
    upper = (flat >> 4).astype(np.int32)
    key = (upper[:, 0] << 8) | (upper[:, 1] << 4) | upper[:, 2]
    count = np.bincount(key, minlength=4096)
    means = (
        np.column_stack([np.bincount(key, flat[:, c], minlength=4096) for c in range(3)])
        / np.maximum(count, 1)[:, None]
    )
    used = np.flatnonzero(count)
    kept = used[np.argsort(-count[used], kind="stable")][:PALETTE]
    index = np.zeros(4096, np.uint8)
    index[used] = np.argmin(((means[used, None] - means[None, kept]) ** 2).sum(-1), axis=1)
    palette = np.round(means[kept]).astype(np.uint8)
    rows = np.zeros((high, wide + 1), np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = index[key].reshape(high, wide)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)),
        (b"IEND", b""),
    )
    out = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        out += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return out
