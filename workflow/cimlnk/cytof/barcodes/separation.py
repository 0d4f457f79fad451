"""How far the metals an event carries stand out from those it does not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .key import BarcodeKey

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.intp]

COFACTOR = 10.0  # Zunder 2015
TOP = 95.0  # percentile that stands for "fully stained"
FEWEST = 50  # events of a barcode from which its own scale is taken


def transform(counts: Floats, cofactor: float = COFACTOR) -> Floats:
    """arcsinh(counts / cofactor); negative counts (dithering, background subtraction) are taken as none."""
    return np.arcsinh(np.clip(np.asarray(counts, dtype=np.float64), 0, None) / cofactor)


def nearest_code(level: Floats, key: BarcodeKey) -> tuple[Ints, Floats]:
    """The code of the brightest metals, and the gap between the weakest of them and the strongest of the others.

    With k metals in every code the k brightest are taken; with codes of different sizes the metals above the largest
    gap. Zunder's scheme needs no threshold on any channel.

    Parameters
    ----------
    level
        (events, masses) scaled intensities.
    key
        The barcoding key.

    Returns
    -------
    code, separation
        (events,) row of the key, −1 where the combination is not in the key; (events,) the gap (in a general scheme
        with all metals of the panel in one code, the gap of that code is down to zero intensity).
    """
    n, b = level.shape
    order = np.argsort(-level, axis=1, kind="stable")
    ranked = np.take_along_axis(level, order, axis=1)
    padded = np.column_stack([ranked, np.zeros(n)])  # below the last metal lies "no signal"
    k = key.positives
    if k is not None:
        cut = np.full(n, k)
    else:
        cut = (padded[:, :-1] - padded[:, 1:]).argmax(axis=1) + 1
    rows = np.arange(n)
    separation = padded[rows, cut - 1] - padded[rows, cut]
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(b), (n, b)).copy(), axis=1)
    carried = rank < cut[:, None]
    weight = 1 << np.arange(b, dtype=np.int64)
    table = {int(v): i for i, v in enumerate(key.code @ weight)}
    values, inverse = np.unique(carried @ weight, return_inverse=True)
    code = np.array([table.get(int(v), -1) for v in values], dtype=np.intp)[inverse]
    return code, separation


def scale(level: Floats, key: BarcodeKey) -> tuple[Floats, Ints, Floats]:
    """Scale each metal, then each barcode population, by its own staining: one separation means the same in all.

    Returns
    -------
    scaled, code, separation
        (events, masses), (events,) and (events,); see :func:`population_scales` and :func:`nearest_code`.
    """
    metal, population = population_scales(level, key)
    scaled = level / metal
    code, _ = nearest_code(scaled, key)
    scaled /= population[code][:, None]
    return scaled, *nearest_code(scaled, key)


def population_scales(level: Floats, key: BarcodeKey) -> tuple[Floats, Floats]:
    """What "fully stained" is for each metal and for each code.

    Codes are taken on the plain intensities; a metal's scale is the 95th percentile of the events that have it among
    their metals (over all events, as in Zunder 2015, the percentile of a metal that 3 % of the events carry would be
    background). On that scale codes are taken again, and a code's scale is the 95th percentile of its events' metals,
    as one number. Metals and codes with fewer than 50 events use the median of the others.

    Returns
    -------
    metal, population
        (masses,) and (samples + 1,); the last entry, for events with no code in the key, is the median of the others.
    """
    code, _ = nearest_code(level, key)
    fallback = float(np.percentile(level.max(axis=1), TOP)) if len(level) else 1.0
    carried = np.vstack([key.code, np.zeros((1, len(key.masses)), bool)])
    groups = [level[carried[code, j], j] for j in range(len(key.masses))]
    metal = _tops(groups, fallback if fallback > 0 else 1.0)
    level = level / metal
    code, _ = nearest_code(level, key)
    population = _tops([level[np.ix_(code == i, bits)].ravel() for i, bits in enumerate(key.code)], 1.0)
    return metal, np.append(population, np.median(population))


def _tops(groups: list[Floats], fallback: float) -> Floats:
    """The 95th percentile of each group; of groups too small, the median of the others (or `fallback`)."""
    tops = np.array([np.percentile(g, TOP) if len(g) >= FEWEST else np.nan for g in groups])
    tops[~(tops > 0)] = np.nan
    return np.where(np.isnan(tops), np.nanmedian(tops) if np.isfinite(tops).any() else fallback, tops)
