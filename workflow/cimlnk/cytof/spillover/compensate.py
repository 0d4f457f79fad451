"""Compensation by non-negative least squares, all events at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from .matrix import adapt_matrix

if TYPE_CHECKING:
    from anndata import AnnData

Floats = npt.NDArray[np.floating]

BLOCK = 16_384  # events solved together; bounds the memory at a few blocks
TOLERANCE = 1e-8  # of an event's largest count
SWEEPS = 500


def nnls(observed: Floats, matrix: Floats) -> Floats:
    """Solve min ‖observed − x · matrix‖ with x ≥ 0 for every row at once.

    The unconstrained solution is exact wherever it is not negative. The other rows start from its positive part and
    are solved by cyclic coordinate descent, vectorised over events, which converges in a few sweeps because a
    spillover matrix is close to the identity.

    Parameters
    ----------
    observed
        (events, channels).
    matrix
        (channels, channels) square, invertible; rows send, columns receive.

    Returns
    -------
    (events, channels) float64, no negative value.

    Raises
    ------
    ValueError
        For shapes that do not fit, or if the descent does not converge (no spillover matrix).
    """
    m = np.asarray(matrix, dtype=np.float64)
    if m.ndim != 2 or m.shape[0] != m.shape[1] or observed.shape[1:] != m.shape[:1]:
        raise ValueError(f"observed {observed.shape} does not fit a matrix {m.shape}")
    out = np.empty(observed.shape)
    inverse, gram = np.linalg.inv(m), m @ m.T
    for start in range(0, len(observed), BLOCK):
        y = np.asarray(observed[start : start + BLOCK], dtype=np.float64)
        x = y @ inverse
        rows = np.flatnonzero((x < 0).any(axis=1))
        if rows.size:
            x[rows] = _descend(np.clip(x[rows], 0, None), y[rows] @ m.T, gram)
        out[start : start + len(y)] = x
    return out


def _descend(x: Floats, f: Floats, gram: Floats) -> Floats:
    x, f = np.ascontiguousarray(x.T), np.ascontiguousarray(f.T)  # a channel of all events lies together
    linked = [np.flatnonzero((row != 0) & (np.arange(len(row)) != j)) for j, row in enumerate(gram)]
    scale = TOLERANCE * max(float(np.abs(f).max()), 1.0)
    for _ in range(SWEEPS):
        change = 0.0
        for j, others in enumerate(linked):
            new = np.maximum((f[j] - gram[j, others] @ x[others]) / gram[j, j], 0.0)
            change = max(change, float(np.abs(new - x[j]).max()))
            x[j] = new
        if change <= scale:
            return x.T
    raise ValueError(f"no convergence in {SWEEPS} sweeps: the matrix is too far from the identity")


def compensate(events: Floats, channels: Sequence[str], matrix: pd.DataFrame) -> tuple[Floats, list[str]]:
    """Compensate the mass channels of raw counts.

    Parameters
    ----------
    events
        (events, channels) raw or bead-normalised counts, not transformed.
    channels
        Names with metal and mass.
    matrix
        A checked spillover matrix (:func:`check_matrix`); it is fitted to the channels by :func:`adapt_matrix`.

    Returns
    -------
    compensated, notes
        (events, channels) float32: mass channels that send or receive are replaced by the non-negative least-squares
        solution, all others are as given; and the notes of :func:`adapt_matrix`.

    References
    ----------
    Chevrier S et al. (2018) Compensation of signal spillover in suspension and imaging mass cytometry. Cell Systems
    6:612-620.
    """
    square, notes = adapt_matrix(matrix, channels)
    values = square.to_numpy()
    involved = (values != np.eye(len(values))).any(axis=1) | (values != np.eye(len(values))).any(axis=0)
    position = {c: i for i, c in enumerate(channels)}
    columns = np.array([position[c] for c in square.columns[involved]], dtype=np.intp)
    out = np.array(events, dtype=np.float32)
    if columns.size:
        part = values[np.ix_(involved, involved)]
        for start in range(0, len(out), BLOCK):
            rows = slice(start, start + BLOCK)
            out[rows, columns] = nnls(out[rows][:, columns], part)
    return out, notes


def compensate_adata(
    adata: AnnData, matrix: pd.DataFrame, *, layer: str | None = None, channel: str = "channel"
) -> None:
    """Compensate an AnnData of raw counts in place.

    Parameters
    ----------
    adata
        Events × channels; ``var[channel]`` (or, without that column, `var_names`) holds the names with metal and mass.
    matrix
        A checked spillover matrix.
    layer
        Layer with the raw counts; None for ``X``.

    Writes
    ------
    layers["compensated"]
        Compensated counts, float32.
    uns["spillover"]
        The notes of :func:`adapt_matrix`.

    Examples
    --------
    Two per cent of channel 141 arrive in channel 142:

    >>> import anndata, numpy as np, pandas as pd
    >>> from cimlnk.cytof.spillover import compensate_adata
    >>> names = ["Pr141Di", "Nd142Di"]
    >>> adata = anndata.AnnData(np.float32([[100, 2], [0, 50]]), var=pd.DataFrame(index=names))
    >>> compensate_adata(adata, pd.DataFrame([[1, 0.02], [0, 1]], index=names, columns=names))
    >>> adata.layers["compensated"].round(3).tolist()
    [[100.0, 0.0], [0.0, 50.0]]
    """
    raw = np.asarray(adata.X if layer is None else adata.layers[layer])
    names = list(adata.var[channel] if channel in adata.var else adata.var_names)
    adata.layers["compensated"], notes = compensate(raw, names, matrix)
    adata.uns["spillover"] = {"notes": notes}
