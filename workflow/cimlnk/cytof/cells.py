"""From one sample's FCS file to its live single NK cells, with the events kept at every gate."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.tables import write_table
from cimlnk.common.vocabulary import cell_id

from .acquisition import Acquisition, channel_flags
from .fcs.header import read_header
from .flow.instrument import foreign_to_mass
from .gating.gate import Gated
from .gating.gatingml import write_empty
from .gating.picture import Picture, picture_of, save_picture
from .gating.read import Sample, read_sample
from .gating.sample import gate_sample
from .h5ad import write_h5ad
from .tables import GATES

log = logging.getLogger("cimlnk.cytof")

OBS_ROLES = ("time", "event_length", "gaussian", "scatter", "pulse", "dna", "viability", "bead")


def make_cells(
    *,
    fcs: str | Path,
    sample: str,
    batch: str,
    panel: str | Path,
    gate_file: str | Path,
    pool: str | Path | None,
    settings: Mapping[str, Any],
    seed: int,
    output: str | Path,
    gates: str | Path,
    gatingml: str | Path | None = None,
    picture: str | Path | None = None,
    lineages: str | Path | None = None,
    by_hand: Mapping[str, float] | None = None,
    acquired: str | Path | None = None,
    least_lymphocytes: int | None = None,
    provenance: Mapping[str, Any],
) -> None:
    """Write the live single NK cells of one sample and its gate table.

    Writes to `output` an h5ad with ``X`` (arcsinh with the panel's cofactors, float32), ``layers["raw"]`` (values as in
    the file), ``obs`` (sample, event = 0-based index in the file, time, event length, DNA, viability, bead and
    Gaussian channels on the gating scale), ``obs_names`` ``"{sample}:{event}"``, ``var`` (channel, role, cofactor,
    cluster; index marker) and ``uns["cimlnk"]`` (JSON: provenance, left_out, reason, summary, notes, flags, drift); to
    `gates` the table GATES; to `gatingml` the same gates as GatingML 2.0; to `picture` what the figure of the gates
    shows (:mod:`.gating.picture`).

    Parameters
    ----------
    fcs, sample, batch
        The file and whose it is.
    panel, gate_file
        Panel sheet and gating hierarchy.
    pool
        Thresholds of the batches from :func:`cimlnk.cytof.gating.pool.make_pool`, or None.
    lineages, by_hand
        Lineages of the batches, which then decide what an NK cell is (``obs["lineage_confidence"]`` says how surely),
        and thresholds set by the user; see :func:`.gating.sample.gate_sample`.
    least_lymphocytes
        Fewest lymphocytes among which no NK cell is a count of zero (:func:`counts_as_none`): the sample then has no
        cells, but its counts. None (a sample that is no blood): a file without NK cells is never used.
    acquired
        The file as the instrument wrote it, to which gates drawn by hand apply; by default `fcs`.
    settings
        The config's section `cytof`.
    seed
        The cohort's seed.

    Raises
    ------
    UserError
        If the file cannot be used (see :func:`.gating.read.read_sample`), holds no NK cell (but see
        `least_lymphocytes`), or its acquisition is worse than `cytof.acquisition_qc.minimum_score`.
    """
    data = read_sample(fcs, panel, settings)
    data.acquired = read_header(acquired) if acquired else None
    gated, course = gate_sample(
        data,
        sample,
        batch,
        gates=gate_file,
        pool=pool,
        settings=settings,
        seed=seed,
        gatingml=gatingml,
        lineages=lineages,
        by_hand=by_hand,
    )
    nk = gated.chosen
    least = float(settings["acquisition_qc"]["minimum_score"])
    if course.score < least:
        found = Plain(f"{course.score:.0%} of events in good stretches of the acquisition")
        raise UserError(fcs, "acquisition", found, f"at least {least:.0%} (cytof.acquisition_qc.minimum_score)")
    flags = _flags(data)
    if not nk.any() and not counts_as_none(gated, flags, str(settings["nk_identity"]), least=least_lymphocytes):
        raise UserError(fcs, *_no_cells(gated))
    markers = data.matched.markers
    columns = [c.column for c in markers]
    rows = np.flatnonzero(nk)
    picked = np.ix_(rows, np.array(columns))
    obs = {"sample": np.full(len(rows), sample, dtype=object), "event": rows.astype(np.int32)}
    for c in data.matched.channels:
        if c.role in OBS_ROLES:
            obs[c.marker.lower()] = data.scaled[rows, c.column]
    if gated.fit is not None:
        obs["lineage_confidence"] = gated.fit.confidence[rows]
    var = pd.DataFrame(
        {
            "channel": [c.channel for c in markers],
            "role": [c.role for c in markers],
            "cofactor": [c.cofactor for c in markers],
            "cluster": [c.cluster for c in markers],
        },
        index=[c.marker for c in markers],
    )
    record = {
        "provenance": dict(provenance),
        "left_out": False,
        "reason": None,
        "summary": summarise(gated, course),
        "notes": [*data.notes, *course.notes],
        "flags": flags,
        "foreign": foreign_to_mass(data.header) if settings["input_scale"] != "fluorescence" else None,
        "conflicts": [list(c) for c in data.matched.conflicts],
        "drift": course.drift,
        "instrument": _instrument(data),
        "lymphocytes": describe_denominator(gated),
        "lineages": gated.fit.record(gated.n_gates) if gated.fit is not None else None,
    }
    index = pd.Index([cell_id(sample, i) for i in rows], dtype=object)
    write_h5ad(
        output, data.scaled[picked], data.events[picked],
        obs=pd.DataFrame(obs, index=index), var=var, record=record,
    )  # fmt: skip
    write_table(gated.rows, gates, GATES, provenance=provenance)
    if picture is not None:
        save_picture(picture_of(data, gated, course, sample=sample), picture)
    log.info("%s: %d NK cells of %d events", sample, len(rows), len(nk))


def _instrument(data: Sample) -> str | None:
    """Instrument and its serial number as the file says; None where it does not."""
    text = (data.acquired or data.header).text
    words = [text.get(k, "").strip() for k in ("$CYT", "$CYTSN")]
    return " ".join(w for w in words if w) or None


def _flags(data: Sample) -> list[str]:
    """:func:`channel_flags` of the markers, DNA and viability of a sample."""
    viability = data.matched.of_role("viability")
    channels = [*data.matched.markers, *data.matched.of_role("dna"), *viability]
    names = [c.marker for c in channels]
    return channel_flags(data.events[:, [c.column for c in channels]], names, [c.marker for c in viability])


def counts_as_none(gated: Gated, flags: Sequence[str], identity: str, *, least: int | None) -> bool:
    """Whether a file without NK cells was measured well enough for none to be its number of NK cells.

    Parameters
    ----------
    gated
        The file's events, none of which is an NK cell.
    flags
        What :func:`.acquisition.channel_flags` found: without a signal in the marker `identity` no NK cell can be seen.
    identity
        Config `cytof.nk_identity`.
    least
        Fewest lymphocytes, counted as the NK cells are; None: never. Where the lineage of more events is unsure than
        are lymphocytes, NK cells may be among them.
    """
    if least is None or "lymphocytes" in gated.skipped or any(f.startswith(f"{identity}:") for f in flags):
        return False
    lymphocytes = int(gated.lymphocytes.sum())
    unsure = gated.fit.record(gated.n_gates)["counts"]["unsure"] if gated.by_lineage else 0
    return lymphocytes >= max(least, unsure)


def _no_cells(gated: Gated) -> tuple[str, Plain, str]:
    """Where, found and expected of a file without NK cells."""
    n = len(gated.chosen)
    if gated.by_lineage:
        counts = gated.fit.record(gated.n_gates)["counts"]
        seen = ", ".join(f"{v:,} {k}" for k, v in counts.items() if v) or "none"
        found = Plain(f"no {gated.fit.target} cells among {n} events (live single events by lineage: {seen})")
        return "lineages", found, f"{gated.fit.target} cells; see cytof.target_lineage and the panel's lineage markers"
    last = gated.rows[gated.rows["n_out"] == 0].iloc[0]
    found = Plain(f"no NK cells among {n} events (none passes gate {last['gate']})")
    return "gating", found, "NK cells; see the gate table, cytof.nk_identity and cytof.gates"


def summarise(gated: Gated, course: Acquisition) -> dict[str, Any]:
    """The sample's row of SUMMARY without `sample`, `left_out` and `reason`."""
    told = "lymphocytes" not in gated.skipped
    n = int(gated.chosen.sum())
    low, high = gated.fit.interval(n, gated.n_gates) if gated.by_lineage else (gated.n_low, gated.n_high)
    return {
        "n_events": len(gated.nodes[gated.final]),
        "n_live_singlets": int(gated.nodes["live"].sum()),
        "n_lymphocytes": float(gated.lymphocytes.sum()) if told else float("nan"),
        "n_nk": n,
        "n_nk_low": round(low, 3),
        "n_nk_high": round(high, 3),
        "n_nk_lineage": float(gated.fit.members.sum()) if gated.fit is not None else float("nan"),
        "n_nk_gates": gated.n_gates,
        "qc_score": round(course.score, 6),
    }


def describe_denominator(gated: Gated) -> str:
    """What counts as a lymphocyte here, in words: the cuts that lead to the node `lymphocytes`."""
    if "lymphocytes" in gated.skipped:
        return f"not countable: {gated.skipped['lymphocytes']}"
    if gated.by_lineage:
        return "live single events whose lineage is T, B or NK"
    if not gated.cuts:
        return str(gated.rows.set_index("gate").loc["lymphocytes", "reason"])
    order = list(gated.nodes)
    used = order[: order.index("lymphocytes") + 1]
    sign = {"above": "+", "below": "-", "not_all_above": " beads excluded"}
    marks = [
        "/".join(c.marker for c in cut.channels) + sign[cut.side]
        for cut, _ in gated.cuts
        if cut.node in used and not cut.part and cut.side != "not_all_above"
    ]
    return "events of good acquisition, " + ("single cells by DNA, " if "intact" in used else "") + " ".join(marks)


def leave_out(
    error: UserError,
    *,
    output: str | Path,
    gates: str | Path,
    gatingml: str | Path | None = None,
    picture: str | Path | None = None,
) -> None:
    """Write empty results for a sample that cannot be used, with the reason inside."""
    empty = np.zeros((0, 0), np.float32)
    obs = pd.DataFrame({"sample": np.array([], dtype=object)}, index=pd.Index([], dtype=object))
    record = {"left_out": True, "reason": str(error), "summary": None}
    write_h5ad(output, empty, empty, obs=obs, var=pd.DataFrame(index=pd.Index([], dtype=object)), record=record)
    write_table(GATES.empty(), gates, GATES, provenance={"left_out": str(error)})
    if gatingml is not None:
        write_empty(gatingml)
    if picture is not None:
        save_picture(Picture("", left_out=str(error)), picture)
    log.warning("left out: %s", error)
