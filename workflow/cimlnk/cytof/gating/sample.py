"""The gates of one sample: up to the live single events, or all of them, fitted to the lineages of its batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.errors import UserError
from cimlnk.cytof.acquisition import Acquisition
from cimlnk.cytof.lineage.batch import load_batch
from cimlnk.cytof.tables import GATES

from .cuts import lay_out
from .fit import ByHand, LineageFit
from .gate import LIVE, Gated, gate_events
from .gatingml import write_gatingml
from .manual import gate_manually
from .pool import thresholds_of
from .read import Sample, judge_acquisition
from .spec import load_gates, up_to


def live_events(
    data: Sample,
    sample: str,
    batch: str,
    *,
    gates: str | Path,
    pool: str | Path | None,
    settings: Mapping[str, Any],
    seed: int,
) -> NDArray[np.bool_]:
    """Live single events of good acquisition: what the gates up to the node `live` keep, or those drawn by hand."""
    course = judge_acquisition(data, settings)
    drawn = drawn_by_hand(settings)
    if drawn:
        header = data.acquired or data.header
        return gate_manually(header, data.matched, drawn, sample=sample, start=course.good).nodes[LIVE]
    nodes, thresholds = up_to(load_gates(gates), LIVE), thresholds_of(pool, batch)
    gated = gate_events(
        data.scaled,
        data.matched,
        nodes,
        settings=settings,
        sample=sample,
        seed=seed,
        pool=thresholds,
        start=course.good,
    )
    return gated.nodes[LIVE]


def drawn_by_hand(settings: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The settings of gates drawn by hand, where a file of them is given."""
    manual = settings.get("manual_gates")
    return manual if manual and manual["file"] else None


def lineage_fit(
    data: Sample,
    batch: str,
    gates: str | Path,
    *,
    lineages: str | Path | None,
    settings: Mapping[str, Any],
    seed: int,
    by_hand: Mapping[str, float] | None = None,
) -> LineageFit | ByHand | None:
    """What fits the gates of a sample to the lineages of its batch; without these, only what the user sets, or None."""
    target = settings.get("target_lineage")
    _check_by_hand(data, gates, by_hand or {}, settings=settings)
    if lineages is None or target is None:
        return _by_hand(by_hand)
    found, reason = load_batch(lineages, batch)
    if found is None:
        data.notes.append(str(reason))
        return _by_hand(by_hand)
    column = {c.marker: c.column for c in data.matched.markers}
    # counts of cisplatin fall off without a second mode; the cofactor of a dye tells where its negative cells end
    dyes = data.matched.of_role("viability") if settings["input_scale"] == "fluorescence" else []
    dye = dyes[0].column if dyes else None
    scatter = data.matched.of_role("scatter")
    return LineageFit(
        found,
        [column[m] for m in found.markers],
        load_gates(gates),
        target=target,
        by_hand=by_hand,
        seed=seed,
        dye=dye,
        size=scatter[0].column if scatter else None,
    )


def _by_hand(values: Mapping[str, float] | None) -> ByHand | None:
    return ByHand(values) if values else None


def _check_by_hand(
    data: Sample, gates: str | Path, values: Mapping[str, float], *, settings: Mapping[str, Any]
) -> None:
    """A threshold set by hand must be of a gate."""
    cuts, _ = lay_out(load_gates(gates), data.matched, str(settings["nk_identity"]))
    known = sorted({c.marker for cut in cuts for c in cut.channels if cut.spec.role is None})
    for marker in values:
        if marker not in known:
            expected = f"a marker of the gates ({', '.join(known)})"
            raise UserError("override sheet", "threshold of a sample, column marker", marker, expected, known)


def gate_sample(
    data: Sample,
    sample: str,
    batch: str,
    *,
    gates: str | Path,
    pool: str | Path | None,
    settings: Mapping[str, Any],
    seed: int,
    gatingml: str | Path | None = None,
    lineages: str | Path | None = None,
    by_hand: Mapping[str, float] | None = None,
) -> tuple[Gated, Acquisition]:
    """Gate a sample, beginning with the events of good acquisition; the time gate is the first row.

    The thresholds are fitted to the lineages (`lineages`, of :func:`cimlnk.cytof.lineages.make_lineages`), or found in
    the data without them, or, with `cytof.manual_gates.file`, all gates are those drawn by hand. With `gatingml` the
    gates are written there. `by_hand` are thresholds the user sets for this sample (marker -> value on the gating
    scale): its cells are then those that pass the gates.
    """
    course = judge_acquisition(data, settings)
    drawn = drawn_by_hand(settings)
    if drawn:
        gated = gate_manually(
            data.acquired or data.header, data.matched, drawn, sample=sample, start=course.good, gatingml=gatingml
        )
    else:
        thresholds = thresholds_of(pool, batch)
        nodes, fit = (
            load_gates(gates),
            lineage_fit(data, batch, gates, lineages=lineages, settings=settings, seed=seed, by_hand=by_hand),
        )
        gated = gate_events(
            data.scaled,
            data.matched,
            nodes,
            settings=settings,
            sample=sample,
            seed=seed,
            pool=thresholds,
            start=course.good,
            fit=fit,
        )
        if isinstance(fit, LineageFit):
            data.notes += fit.notes
        if gatingml is not None:
            transformed = settings["input_scale"] in ("arcsinh", "scaled")
            write_gatingml(
                gatingml,
                gated,
                course,
                header=data.header,
                events=data.events,
                scaled=data.scaled,
                transformed=transformed,
            )
    first = gated.rows.iloc[0]
    n, kept = len(data.events), int(course.good.sum())
    row = {**first, "step": 0, "gate": "good_time", "parent": None, "n_in": n, "n_out": kept, "n_out_low": kept}
    row |= {"n_out_high": kept, "channel": None, "marker": None, "side": None, "threshold": np.nan}
    row |= {"threshold_low": np.nan, "threshold_high": np.nan, "method": "skipped" if course.reason else "time"}
    row["reason"] = course.reason or ("; ".join(course.notes) or None)
    rest = gated.rows.assign(step=gated.rows["step"] + 1)
    rest.loc[rest.index[0], "parent"] = "good_time"
    gated.rows = GATES.check(pd.concat([pd.DataFrame([row]), rest], ignore_index=True))
    return gated, course
