"""Assign every event to the sample whose metals it carries, or to none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .cutoffs import estimate_cutoffs
from .key import BarcodeKey
from .separation import COFACTOR, scale, transform

if TYPE_CHECKING:
    from anndata import AnnData

Floats = npt.NDArray[np.floating]

# A metal's intensity is not known better than to 2 % of full staining; without this floor a metal that reads exactly
# zero in all events of a barcode would make its covariance singular.
NOISE = 0.02


@dataclass(frozen=True)
class Assignment:
    """The outcome of debarcoding.

    Attributes
    ----------
    key
        The barcoding key.
    sample
        (events,) row of the key, −1 for unassigned events.
    nearest
        (events,) the code of the brightest metals before any filter, −1 if that combination is not in the key.
    separation
        (events,) gap between the carried and the other metals; 1 is about full staining.
    distance
        (events,) squared Mahalanobis distance to the events of the same code, NaN below the cut-off or where a code
        has too few events to know their spread.
    cutoffs
        (samples,) separation cut-off of each code.
    expected_doublets
        (samples,) share of doublets expected among the events above the cut-off (NaN where not estimable).
    scaled
        (events, masses) scaled intensities.
    """

    key: BarcodeKey
    sample: npt.NDArray[np.intp]
    nearest: npt.NDArray[np.intp]
    separation: Floats
    distance: Floats
    cutoffs: Floats
    expected_doublets: Floats
    scaled: Floats

    @property
    def counts(self) -> npt.NDArray[np.intp]:
        """(samples,) events assigned."""
        return np.bincount(self.sample[self.sample >= 0], minlength=len(self.key.samples))

    @property
    def share(self) -> float:
        """Share of all events assigned to a sample."""
        return float((self.sample >= 0).mean()) if len(self.sample) else 0.0


def debarcode(
    counts: Floats,
    key: BarcodeKey,
    *,
    cutoff: float | None = None,
    doublets: float = 0.0075,
    mahalanobis: float = 30.0,
    cofactor: float = COFACTOR,
    seed: int = 0,
) -> Assignment:
    """Single-cell debarcoding.

    An event gets the code of its brightest metals if they stand out enough from the other ones, and if its intensities
    lie within the spread of that code's events. The metals are put on the arcsinh(x / `cofactor`) scale and scaled per
    metal and population (:func:`scale`). A doublet of two samples carries more metals than any code allows, so its
    separation is small; events of the barcodes' own debris and unstained cells likewise.

    Parameters
    ----------
    counts
        (events, masses) raw ion counts, columns as in ``key.masses``.
    key
        The barcoding key: doublet-filtering (k of n metals), single-positive, or codes of different sizes.
    cutoff
        One separation cut-off for all codes; None estimates one per code (:func:`estimate_cutoffs`).
    doublets
        Share of doublets tolerated among the accepted events, for the estimate.
    mahalanobis
        Largest squared Mahalanobis distance accepted with six metals (Zunder's and CATALYST's default 30); with other
        numbers the limit has the same chance of rejecting a normal event (:func:`distance_limit`). Infinity for none.
    seed
        Of the doublets simulated for the estimate.

    Returns
    -------
    Assignment

    References
    ----------
    Zunder ER et al. (2015) Palladium-based mass tag cell barcoding with a doublet-filtering scheme and single-cell
    deconvolution algorithm. Nature Protocols 10:316-333.
    """
    if counts.ndim != 2 or counts.shape[1] != len(key.masses):
        raise ValueError(f"counts of shape {counts.shape} do not fit {len(key.masses)} barcode masses")
    n = len(key.samples)
    if len(counts) == 0:
        none, nothing = np.empty(0, np.intp), np.empty(0)
        return Assignment(key, none, none, nothing, nothing, np.full(n, np.nan), np.full(n, np.nan), counts)
    scaled, nearest, separation = scale(transform(counts, cofactor), key)
    if cutoff is None:
        cutoffs, expected = estimate_cutoffs(
            counts, key, nearest, separation=separation, doublets=doublets, cofactor=cofactor, seed=seed
        )
    else:
        cutoffs, expected = np.full(n, float(cutoff)), np.full(n, np.nan)
    sample = np.where((nearest >= 0) & (separation > np.append(cutoffs, np.inf)[nearest]), nearest, -1)
    distance = spread_distance(scaled, sample, n)
    sample[distance > distance_limit(mahalanobis, len(key.masses))] = -1
    return Assignment(key, sample, nearest, separation, distance, cutoffs, expected, scaled)


def distance_limit(mahalanobis: float, metals: int) -> float:
    """The limit of the squared distance for a number of metals, given the one for six.

    The squared distance of a normal event has mean `metals`: with 30 single-positive metals a fixed limit of 30, as
    CATALYST has it, would reject half of all good events.
    """
    from scipy.stats import chi2

    return float(chi2.isf(chi2.sf(mahalanobis, 6), metals)) if np.isfinite(mahalanobis) else np.inf


def spread_distance(scaled: Floats, sample: npt.NDArray[np.intp], n_samples: int) -> Floats:
    """Squared Mahalanobis distance of every event to the events assigned to the same sample; NaN for unassigned ones.

    Samples with fewer than three events per metal have no estimable covariance and stay NaN.
    """
    distance = np.full(len(scaled), np.nan)
    metals = scaled.shape[1]
    for i in range(n_samples):
        rows = np.flatnonzero(sample == i)
        if len(rows) < 3 * metals:
            continue
        centred = scaled[rows] - scaled[rows].mean(axis=0)
        covariance = centred.T @ centred / (len(rows) - 1) + NOISE**2 * np.eye(metals)
        distance[rows] = np.einsum("ij,ji->i", centred, np.linalg.solve(covariance, centred.T))
    return distance


def debarcode_adata(
    adata: AnnData, key: BarcodeKey, *, layer: str | None = None, channel: str = "channel", **settings: object
) -> None:
    """Debarcode an AnnData of raw counts in place.

    Parameters
    ----------
    adata
        Events × channels; ``var[channel]`` (or, without that column, `var_names`) holds the names with metal and mass.
    layer
        Layer with the raw counts; None for ``X``.
    settings
        Passed to :func:`debarcode`.

    Writes
    ------
    obs["barcode_sample"]
        Name of the sample, None for unassigned events.
    obs["barcode_separation"], obs["barcode_distance"]
        Separation and squared Mahalanobis distance.
    uns["debarcoding"]
        Scheme, cut-offs and yields by sample, share assigned.

    Examples
    --------
    Three samples, each with two of three metals:

    >>> import anndata, numpy as np, pandas as pd
    >>> from cimlnk.cytof.barcodes import debarcode_adata, make_key
    >>> key = make_key(["a", "b", "c"], [102, 104, 105], [[1, 1, 0], [1, 0, 1], [0, 1, 1]])
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(np.repeat([[200, 200, 2], [200, 2, 200], [2, 200, 200]], 500, axis=0)).astype(np.float32)
    >>> adata = anndata.AnnData(X, var=pd.DataFrame(index=["Pd102Di", "Pd104Di", "Pd105Di"]))
    >>> debarcode_adata(adata, key)
    >>> truth = np.repeat(["a", "b", "c"], 500)
    >>> bool((adata.obs["barcode_sample"] == truth).mean() > 0.95)
    True
    """
    from cimlnk.cytof.prepare import columns_of_masses

    raw = np.asarray(adata.X if layer is None else adata.layers[layer])
    names = list(adata.var[channel] if channel in adata.var else adata.var_names)
    found = debarcode(raw[:, columns_of_masses(names, key.masses, "barcode")], key, **settings)  # type: ignore[arg-type]
    adata.obs["barcode_sample"] = np.array([*key.samples, None], dtype=object)[found.sample]
    adata.obs["barcode_separation"] = found.separation
    adata.obs["barcode_distance"] = found.distance
    adata.uns["debarcoding"] = {
        "scheme": key.scheme,
        "cutoffs": dict(zip(key.samples, found.cutoffs.tolist(), strict=True)),
        "yields": dict(zip(key.samples, found.counts.tolist(), strict=True)),
        "share": found.share,
    }
