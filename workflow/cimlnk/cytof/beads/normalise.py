"""Correct every event for the instrument's sensitivity at its time, and drop what contains a bead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cimlnk.common.errors import Plain, UserError
from cimlnk.cytof.metals import mass_channels
from cimlnk.cytof.prepare import columns_of_masses, time_column

from .identify import BeadCall, NoBeads, identify_beads
from .slopes import correction, residual_drift, unwind_time, window_for

if TYPE_CHECKING:
    from anndata import AnnData

DVS_BEADS = (140, 151, 153, 165, 175)  # EQ four-element beads: Ce140, Eu151, Eu153, Ho165, Lu175
DNA = (191, 193)
BLOCK = 65_536  # events corrected at a time: the correction needs no second copy of the matrix


@dataclass(frozen=True)
class Normalised:
    """A bead-normalised file.

    Attributes
    ----------
    events
        (events, channels) float32, all events, mass channels corrected.
    keep
        (events,) False for beads and bead doublets.
    factor
        (events,) the correction by which the mass channels were multiplied.
    call
        Which events are beads.
    bead_masses, baseline
        The bead channels and the intensity normalised to.
    bead_time, before, after
        Time (unwound), raw and normalised counts of the lone beads, sorted by time.
    window
        Beads in the running median.
    drift_before, drift_after
        Linear drift of the lone beads over the file as a share of their mean.
    """

    events: npt.NDArray[np.float32]
    keep: npt.NDArray[np.bool_]
    factor: npt.NDArray[np.floating]
    call: BeadCall
    bead_masses: tuple[int, ...]
    baseline: npt.NDArray[np.floating]
    bead_time: npt.NDArray[np.floating]
    before: npt.NDArray[np.floating]
    after: npt.NDArray[np.floating]
    window: int
    drift_before: float
    drift_after: float


def find_beads(
    events: npt.NDArray[np.floating],
    channels: Sequence[str],
    *,
    beads: Sequence[int] = DVS_BEADS,
    dna: Sequence[int] = DNA,
    trim: float = 5.0,
    minimum: int = 20,
    source: object = "events",
) -> tuple[BeadCall, npt.NDArray[np.intp]]:
    """:func:`identify_beads` by masses; returns the call and the bead columns, raises UserError without beads."""
    columns = columns_of_masses(channels, beads, "bead", source=source)
    dna_columns = columns_of_masses(channels, dna, "DNA", source=source) if dna else np.empty(0, dtype=np.intp)
    try:
        return identify_beads(events[:, columns], events[:, dna_columns], trim=trim, minimum=minimum), columns
    except NoBeads as error:
        masses = ", ".join(map(str, beads))
        raise UserError(
            source,
            f"bead channels of masses {masses}",
            Plain(f"{error.found} calibration beads"),
            f"at least {error.needed}; are the masses right, and were the beads removed before?",
        ) from None


def bead_baseline(events: npt.NDArray[np.floating], call: BeadCall, columns: npt.NDArray[np.intp]) -> npt.NDArray:
    """Mean raw count of the lone beads in each bead channel: what a run is normalised to."""
    return np.asarray(events[call.singlet][:, columns].mean(axis=0, dtype=np.float64))


def normalise_beads(
    events: npt.NDArray[np.floating],
    channels: Sequence[str],
    *,
    beads: Sequence[int] = DVS_BEADS,
    dna: Sequence[int] = DNA,
    baseline: npt.ArrayLike | None = None,
    window: int = 500,
    trim: float = 5.0,
    minimum: int = 20,
    copy: bool = True,
    source: object = "events",
) -> Normalised:
    """Normalise the events of one acquisition with its calibration beads.

    Beads are called (:func:`identify_beads`), their channels smoothed by a running median over `window` beads in order
    of time, one slope per bead fitted to the baseline, slopes interpolated over time, and every mass channel of every
    event multiplied by the slope at its time. Time, Event_length and the Gaussian parameters are left as they are.

    Parameters
    ----------
    events
        (events, channels) raw ion counts.
    channels
        Names with metal and mass ($PnN): ``["Time", "Ce140Di", …]``.
    beads, dna
        Masses of the bead and DNA channels; an empty `dna` leaves the DNA criterion out.
    baseline
        Bead intensity to normalise to, one number per bead mass; None for the file's own mean, which removes the drift
        within the file and no difference between files.
    window
        Beads in the running median; files with fewer than five times as many beads use a fifth of theirs.
    trim, minimum
        See :func:`identify_beads`.
    copy
        With False, a float32 `events` is corrected in place.
    source
        Named in error messages.

    Returns
    -------
    Normalised

    Raises
    ------
    UserError
        If a channel is missing or there are too few beads.

    References
    ----------
    Finck R et al. (2013) Normalization of mass cytometry data with bead standards. Cytometry A 83A:483-494.
    """
    call, columns = find_beads(events, channels, beads=beads, dna=dna, trim=trim, minimum=minimum, source=source)
    when = events[:, time_column(channels, source)]
    if not np.isfinite(when).all() or not len(when) or when.min() == when.max():
        raise UserError(
            source, "Time", Plain("one value in every event" if len(when) else "no events"), "a running clock"
        )
    clock, part = unwind_time(when)
    order = np.flatnonzero(call.singlet)
    order = order[np.lexsort((clock[order], part[order]))]
    before = np.asarray(events[order][:, columns], dtype=np.float64)
    target = bead_baseline(events, call, columns) if baseline is None else np.asarray(baseline, dtype=np.float64)
    if target.shape != (len(columns),):
        raise ValueError(f"baseline has {target.size} values for {len(columns)} bead channels")
    width = window_for(len(order), window)
    factor = correction(clock, part, order, beads=before, baseline=target, window=width)
    scaled = np.array(events, dtype=np.float32, copy=copy or None)
    counts = mass_channels(list(channels))
    for start in range(0, len(scaled), BLOCK):
        rows = slice(start, start + BLOCK)
        scaled[rows, counts] = scaled[rows, counts] * factor[rows, None].astype(np.float32)
    after = np.asarray(scaled[order][:, columns], dtype=np.float64)
    return Normalised(
        events=scaled,
        keep=~call.bead_like,
        factor=factor,
        call=call,
        bead_masses=tuple(beads),
        baseline=target,
        bead_time=clock[order],
        before=before,
        after=after,
        window=width,
        drift_before=residual_drift(clock[order], before),
        drift_after=residual_drift(clock[order], after),
    )


def normalise_adata(adata: AnnData, *, layer: str | None = None, channel: str = "channel", **settings: object) -> None:
    """Bead-normalise an AnnData of raw counts in place.

    Parameters
    ----------
    adata
        Events × channels; ``var[channel]`` (or, without that column, `var_names`) holds the names with metal and mass,
        and one of them is ``Time``.
    layer
        Layer with the raw counts; None for ``X``.
    settings
        Passed to :func:`normalise_beads`.

    Writes
    ------
    layers["normalised"]
        Corrected counts.
    obs["bead"]
        True for beads and bead doublets (rows are not removed).
    obs["bead_factor"]
        The correction of the event.
    uns["bead_normalisation"]
        Baseline, masses, window, drift before and after, number of beads.

    Examples
    --------
    Cells at half the sensitivity in the second half of a run, with four-element beads among them:

    >>> import anndata, numpy as np, pandas as pd
    >>> from cimlnk.cytof.beads import normalise_adata
    >>> rng = np.random.default_rng(0)
    >>> names = ["Time", "Ce140Di", "Eu151Di", "Eu153Di", "Ho165Di", "Lu175Di", "Yb176Di", "Ir191Di", "Ir193Di"]
    >>> bead = np.arange(8000) % 8 == 0
    >>> mean = np.where(bead[:, None], [*[400.0] * 5, 1, 1, 1], [*[1.0] * 5, 100, 300, 300])
    >>> mean[4000:] /= 2
    >>> X = np.column_stack([np.arange(8000), rng.poisson(mean)]).astype(np.float32)
    >>> adata = anndata.AnnData(X, var=pd.DataFrame(index=names))
    >>> normalise_adata(adata)
    >>> cd56 = adata.layers["normalised"][~bead, 6]
    >>> bool(abs(np.log2(cd56[-2000:].mean() / cd56[:2000].mean())) < 0.05), int(adata.obs["bead"].sum())
    (True, 1000)
    """
    raw = adata.X if layer is None else adata.layers[layer]
    names = list(adata.var[channel] if channel in adata.var else adata.var_names)
    result = normalise_beads(np.asarray(raw), names, **settings)  # type: ignore[arg-type]
    adata.layers["normalised"] = result.events
    adata.obs["bead"] = ~result.keep
    adata.obs["bead_factor"] = result.factor
    adata.uns["bead_normalisation"] = {
        "masses": list(result.bead_masses),
        "baseline": result.baseline,
        "window": result.window,
        "n_beads": int(result.call.singlet.sum()),
        "drift_before": result.drift_before,
        "drift_after": result.drift_after,
    }
