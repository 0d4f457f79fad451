"""Whether a new sample was measured as the earlier ones were: signal, exchanged antibodies, strange lineages."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.lineage.markers import LINEAGES

Floats = NDArray[np.floating]
GROUPS = tuple(x for x in LINEAGES if x not in ("other", "doublet", "unsure"))
QUANTILES = (0.1, 0.5, 0.9)
LEAST_CELLS, LEAST_SAMPLES = 30, 3  # of a lineage in a sample, and earlier samples that have so many
SURE = 0.7  # confidence of a lineage
POSITIVE = 1.5  # arcsinh units: from here on a signal is no noise
FOLD = 1.5  # of the signal, either way; earlier samples of six sets among each other differ by up to 1.48
NOISE = 0.25  # arcsinh units: what a quantile may differ by itself
GAIN, PART = 120.0, 0.85  # the fit that is gained when two markers are read as each other, and its share of the misfit
# times as far as any earlier sample: good ones of five sets up to 1.28; BCR-XL by the default cohort 1.37 to 1.99
UNLIKE = 1.5


class Shift(NamedTuple):
    """How one sample differs from the earlier ones.

    Attributes
    ----------
    signal
        Median fold of the positive markers over the lineages, 1 where nothing changed; NaN with a reason.
    swapped
        Two markers that fit the earlier samples if they are read as each other, else None.
    unlike
        Distance of its lineages from those of the earlier samples, as a multiple of the farthest earlier one's from the
        others; NaN with fewer than four of those.
    reason
        Why nothing can be said.
    """

    signal: float
    swapped: tuple[str, str] | None
    unlike: float
    reason: str | None

    @property
    def strange(self) -> list[str]:
        """What is strange, in words."""
        found = []
        if self.signal < 1 / FOLD or self.signal > FOLD:
            found.append(f"its signal is {self.signal:.2f} times that of the earlier samples")
        if self.swapped:
            found.append(f"{self.swapped[0]} and {self.swapped[1]} look exchanged")
        if self.unlike > UNLIKE:
            found.append(f"its lineages lie {self.unlike:.1f} times as far from the earlier ones as any of those")
        return found


class Profiles(NamedTuple):
    """Quantiles of every marker in every lineage: samples x (lineages x quantiles) x markers, NaN for few cells."""

    values: Floats
    samples: list[str]
    markers: list[str]

    @classmethod
    def read(cls, lineages: str | Path) -> Profiles:
        """From ``cytof/lineages.npz``."""
        with np.load(lineages, allow_pickle=False) as f:
            sure = f["confidence"] >= SURE
            values, sample = f["values"][sure], f["sample"][sure]
            lineage = f["lineages"].astype(str)[f["lineage"][sure]]
            names, markers = f["samples"].astype(str).tolist(), f["markers"].astype(str).tolist()
        out = np.full((len(names), len(GROUPS) * len(QUANTILES), len(markers)), np.nan, np.float32)
        for i in range(len(names)):
            mine, own = values[sample == i], lineage[sample == i]
            for j, group in enumerate(GROUPS):
                cells = mine[own == group]
                if len(cells) >= LEAST_CELLS:
                    out[i, j * len(QUANTILES) : (j + 1) * len(QUANTILES)] = np.quantile(cells, QUANTILES, axis=0)
        return cls(out, names, markers)


def shifts(profiles: Profiles, new: Sequence[str], kinds: Mapping[str, Any]) -> dict[str, Shift]:
    """Signal and exchanged markers of the `new` samples, against the earlier ones of the same kind.

    Matched by lineage: T cells, B cells and monocytes barely change with treatment, so what changes in all of them is
    the measurement. Products are compared with products only, whose cells are activated.

    Parameters
    ----------
    kinds
        Sample -> whether it is a product.
    """
    earlier = [s for s in profiles.samples if s not in set(new)]
    out = {}
    farthest: dict[Any, float] = {}
    for sample in new:
        peers = [profiles.samples.index(s) for s in earlier if kinds[s] == kinds[sample]]
        if len(peers) < LEAST_SAMPLES:
            why = f"{len(peers)} earlier samples of its kind, fewer than {LEAST_SAMPLES}"
            out[sample] = Shift(float("nan"), None, float("nan"), why)
        elif sample not in profiles.samples:
            out[sample] = Shift(float("nan"), None, float("nan"), "no lineages were called in it")
        else:
            own = profiles.values[profiles.samples.index(sample)]
            kind = kinds[sample]
            if kind not in farthest:
                farthest[kind] = _farthest(profiles.values[peers])
            out[sample] = compare(profiles.values[peers], own, profiles.markers, farthest=farthest[kind])
    return out


def compare(earlier: Floats, own: Floats, markers: Sequence[str], *, farthest: float = float("nan")) -> Shift:
    """One sample against earlier ones.

    Parameters
    ----------
    earlier
        Samples x (lineages x quantiles) x markers.
    own
        (lineages x quantiles) x markers.
    farthest
        Largest distance of an earlier sample from the others.

    Examples
    --------
    >>> earlier = np.tile(np.array([[[4.0, 0.0], [0.0, 5.0]]]), (3, 1, 1))
    >>> compare(earlier, earlier[0], ["CD3", "CD19"]).strange
    []
    >>> compare(earlier, earlier[0][:, ::-1], ["CD3", "CD19"]).swapped
    ('CD3', 'CD19')
    """
    middle, spread, known = _usual(earlier, own)
    positive = known & (middle > POSITIVE)
    if not positive.any():
        return Shift(
            float("nan"), None, float("nan"), "no lineage with a positive marker in it and in the earlier samples"
        )
    fold = float(np.exp(np.median((own - middle)[positive])))
    there, x = np.where(known, middle, 0.0), np.where(known, own, 0.0)
    weight = known / (spread**2 + NOISE**2)
    misfit = (weight * (x - there) ** 2).sum(axis=0)
    unlike = _apart(misfit, known) / farthest
    # what the values of column b cost as those of column a: the square written out, so that all pairs are one product
    cost = (weight * there**2).sum(axis=0)[:, None] - 2 * (weight * there).T @ x + weight.T @ x**2
    before = misfit[:, None] + misfit[None, :]
    gain = before - cost - cost.T
    np.fill_diagonal(gain, -np.inf)
    a, b = sorted(divmod(int(gain.argmax()), len(markers)))
    exchanged = gain[a, b] >= GAIN and gain[a, b] >= PART * before[a, b]
    return Shift(fold, (markers[a], markers[b]) if exchanged else None, unlike, None)


def _usual(earlier: Floats, own: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Median and spread (0 where nothing is known) of the earlier samples, and what is known of them and of `own`."""
    known = (np.isfinite(earlier).sum(axis=0) >= LEAST_SAMPLES) & np.isfinite(own)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value are masked
        middle = np.nanmedian(earlier, axis=0)
        spread = 1.4826 * np.nanmedian(np.abs(earlier - middle), axis=0)
    return middle, np.where(known, spread, 0.0), known


def _farthest(earlier: Floats) -> float:
    """Largest distance of one of the samples from the others, NaN with fewer than four that have lineages."""
    distances = []
    for i in range(len(earlier)):
        middle, spread, known = _usual(np.delete(earlier, i, axis=0), earlier[i])
        if known.any():
            misfit = np.where(known, (earlier[i] - middle) ** 2 / (spread**2 + NOISE**2), 0.0)
            distances.append(_apart(misfit.sum(axis=0), known))
    return max(distances, default=float("nan"))


def _apart(misfit: Floats, known: NDArray[np.bool_]) -> float:
    """Mean over the markers of each one's root mean square deviation.

    A treatment moves a few markers far, another measurement all of them a little: with the squares of all together, one
    day of activated cells among the earlier samples made room for strangers.
    """
    count = known.sum(axis=0)
    return float(np.sqrt(misfit[count > 0] / count[count > 0]).mean())
