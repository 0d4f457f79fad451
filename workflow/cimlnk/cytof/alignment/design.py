"""What the design of a cohort can say about batches, and what it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cimlnk.common.errors import Plain, UserError

Floats = npt.NDArray[np.floating]


def dummies(labels: Sequence[object]) -> tuple[Floats, list[str]]:
    """Indicator columns of the sorted distinct labels: (n, levels), and the levels."""
    text = [str(v) for v in labels]
    levels = sorted(set(text))
    return np.array([[t == v for v in levels] for t in text], dtype=float).reshape(len(text), len(levels)), levels


def covariates(columns: Mapping[str, Sequence[object]], n: int) -> Floats:
    """Intercept and indicator columns of every covariate, main effects."""
    parts = [np.ones((n, 1))] + [dummies(values)[0][:, 1:] for values in columns.values()]
    return np.hstack(parts)


def estimable(batch: Sequence[object], kept: Mapping[str, Sequence[object]]) -> bool:
    """Whether batches can be distinguished from the covariates to be kept: rank [covariates | batch] is full."""
    x = covariates(kept, len(batch))
    b, levels = dummies(batch)
    rank = np.linalg.matrix_rank
    return bool(rank(np.hstack([x, b])) == rank(x) + len(levels) - 1)


def check_design(
    batch: Sequence[str], kept: Mapping[str, Sequence[object]], what: str, *, source: object = "sample sheet"
) -> None:
    """Refuse an alignment that the design cannot identify.

    Parameters
    ----------
    batch
        Batch of every training sample.
    kept
        Covariates whose effect must survive, by name, one value per training sample: the anchor's identity with
        anchors, time point and arm without.
    what
        The training samples in words, for the message.

    Raises
    ------
    UserError
        If there are fewer than two batches, or a difference between batches is also one between levels of the
        covariates; the message names a covariate that alone is aliased with batch, if there is one.
    """
    n_batches = len(set(batch))
    if n_batches < 2:
        raise UserError(source, "column batch", Plain(f"{n_batches} batch among {what}"), "at least two batches")
    if estimable(batch, kept):
        return
    guilty = [name for name, values in kept.items() if not estimable(batch, {name: values})]
    names = " and ".join(guilty or kept)
    pairs = sorted({(str(b), *(str(v[i]) for v in kept.values())) for i, b in enumerate(batch)})
    shown = "; ".join(f"batch {p[0]}: {', '.join(p[1:])}" for p in pairs[:6]) + (" …" if len(pairs) > 6 else "")
    raise UserError(
        source,
        "column batch",
        Plain(f"batches that differ in {names} as well ({shown})"),
        f"levels of {names} in several batches each, or anchors: as it is, an alignment would remove their effect",
    )
