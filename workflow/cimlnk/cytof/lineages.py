"""Lineages of a cohort's batches: events drawn evenly over the files, called together, kept for what comes after."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.common.errors import UserError
from cimlnk.common.job import keep_going
from cimlnk.common.json import plain

from .fcs.header import read_header
from .gating.read import read_sample
from .gating.sample import live_events
from .lineage.call import SMALLEST, Called, call_lineages
from .lineage.evidence import levels_of
from .lineage.markers import LINEAGES, lineage_markers

log = logging.getLogger("cimlnk.cytof")
Floats = NDArray[np.floating]


class Drawn(NamedTuple):
    """Live single events of one file: analysis scale, markers and their cofactors."""

    values: NDArray[np.float32]
    markers: list[str]
    cofactors: list[float]


def quotas(sizes: Sequence[int], total: int) -> list[int]:
    """How many events every file gives: small files all, the others the same number, together `total` at most.

    Examples
    --------
    >>> quotas([10, 100, 100], 110)
    [10, 50, 50]
    """
    left, given = total, [0] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda i: sizes[i])
    for done, i in enumerate(order):
        given[i] = min(sizes[i], left // (len(sizes) - done))
        left -= given[i]
    return given


def make_lineages(
    *,
    files: Mapping[str, str | Path],
    batches: Mapping[str, str],
    panel: str | Path,
    gate_file: str | Path,
    pool: str | Path | None,
    output: str | Path,
    settings: Mapping[str, Any],
    seed: int,
    threads: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Call the lineages of every batch and write them (npz).

    Parameters
    ----------
    files, batches
        FCS file and batch by sample.
    panel, gate_file, pool
        Panel sheet, gating hierarchy (its nodes up to `live` choose the events) and the batches' thresholds for it.
    output
        Written: ``values`` (float32 events x markers, analysis scale; NaN where a batch lacks the marker), ``markers``,
        ``cofactors``, ``batches``, ``batch`` (code), ``samples``, ``sample`` (code), ``event`` (index in the file),
        ``lineages``, ``lineage`` (code), ``confidence``, ``by_clusters`` (events x lineages), ``details`` (JSON by
        batch: cuts, counts by clustering, limits, or the reason why there are none), ``provenance``.
    settings
        The config's section `cytof`; `lineages.events` is what a batch gives at most.

    Raises
    ------
    UserError
        If a file cannot be read. With ``--keep-going`` it (and one that memory does not hold) is passed over here: its
        own job tells and leaves it out.
    """
    samples = list(files)
    names = sorted(set(batches.values()))
    parts: list[tuple[int, int, Drawn, NDArray[np.int64]]] = []
    for b, batch in enumerate(names):
        members = [s for s in samples if batches[s] == batch]
        try:
            sizes = [read_header(files[s]).n_events for s in members]
        except UserError:
            if not keep_going():
                raise
            sizes = [int(settings["lineages"]["events"])] * len(members)
        for sample, quota in zip(members, quotas(sizes, int(settings["lineages"]["events"])), strict=True):
            try:
                drawn, rows = _draw(
                    files[sample],
                    sample,
                    batch,
                    panel=panel,
                    gate_file=gate_file,
                    pool=pool,
                    settings=settings,
                    seed=seed,
                    quota=quota,
                )
            except (UserError, MemoryError) as error:
                if not keep_going():
                    raise
                log.warning("%s gives nothing to the lineages of its batch: %s", sample, error)
                continue
            parts.append((b, samples.index(sample), drawn, rows))
    markers = list(dict.fromkeys(m for _, _, drawn, _ in parts for m in drawn.markers))
    cofactors = {m: c for _, _, d, _ in reversed(parts) for m, c in zip(d.markers, d.cofactors, strict=True)}
    n = sum(len(d.values) for _, _, d, _ in parts)
    values = np.full((n, len(markers)), np.nan, np.float32)
    batch_code, sample_code = np.empty(n, np.int16), np.empty(n, np.int32)
    event = np.empty(n, np.int64)
    at = 0
    for b, s, drawn, rows in parts:
        end = at + len(rows)
        values[at:end, [markers.index(m) for m in drawn.markers]] = drawn.values
        batch_code[at:end], sample_code[at:end], event[at:end] = b, s, rows
        at = end
    lineage = np.full(n, LINEAGES.index("unsure"), np.int8)
    confidence, by_clusters = np.zeros(n, np.float32), np.zeros((n, len(LINEAGES)), np.float32)
    details: dict[str, Any] = {}
    for b, batch in enumerate(names):
        own = np.flatnonzero(batch_code == b)
        details[batch] = {"reason": None}
        there = [j for j in lineage_markers(markers) if len(own) and not np.isnan(values[own, j]).any()]
        if len(own) < SMALLEST or not there:
            why = f"{len(own)} live single events" if len(own) < SMALLEST else "no marker that distinguishes lineages"
            details[batch]["reason"] = f"{why}: no lineages in batch {batch}, its gates decide"
            log.warning("%s", details[batch]["reason"])
            continue
        called = call_lineages(
            values[own][:, there],
            [markers[j] for j in there],
            [cofactors[markers[j]] for j in there],
            input_scale=settings["input_scale"],
            resolutions=settings["lineages"]["resolutions"],
            repeats=settings["lineages"]["repeats"],
            seed=seeds.derive(seed, "cytof lineages", batch),
            threads=threads,
        )
        lineage[own], confidence[own], by_clusters[own] = called.lineage, called.confidence, called.by_clusters
        noise = levels_of([cofactors[m] for m in called.markers], values[own][:, there], settings["input_scale"])
        details[batch] |= _detail(called, noise.noise)
        log.info("batch %s: %s", batch, _counted(called.lineage))
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        output,
        values=values,
        markers=np.array(markers),
        cofactors=np.array([cofactors[m] for m in markers], np.float64),
        batches=np.array(names),
        batch=batch_code,
        samples=np.array(samples),
        sample=sample_code,
        event=event,
        lineages=np.array(LINEAGES),
        lineage=lineage,
        confidence=confidence,
        by_clusters=by_clusters,
        details=np.array(json.dumps(plain(details), sort_keys=True)),
        provenance=np.array(json.dumps(plain(provenance or {}), sort_keys=True)),
    )


def _draw(
    path: str | Path,
    sample: str,
    batch: str,
    *,
    panel: str | Path,
    gate_file: str | Path,
    pool: str | Path | None,
    settings: Mapping[str, Any],
    seed: int,
    quota: int,
) -> tuple[Drawn, NDArray[np.int64]]:
    """`quota` live single events of a file, in the file's order, and their indices."""
    data = read_sample(path, panel, settings)
    rows = np.flatnonzero(live_events(data, sample, batch, gates=gate_file, pool=pool, settings=settings, seed=seed))
    if len(rows) > quota:
        rows = np.sort(seeds.rng(seed, "cytof lineages", sample).choice(rows, quota, replace=False))
    found = data.matched.markers
    values = data.scaled[rows][:, [c.column for c in found]]
    return Drawn(values, [c.marker for c in found], [float(c.cofactor) for c in found]), rows


def _detail(called: Called, noise: Floats) -> dict[str, Any]:
    cuts = called.cuts
    return {
        "markers": called.markers,
        "cuts": {
            "value": cuts.value,
            "low": cuts.low,
            "high": cuts.high,
            "brightest": cuts.brightest,
            "base": cuts.base,
            "method": cuts.method,
            "reason": cuts.reason,
        },
        "noise": noise,
        "contradiction": called.contradiction._asdict(),
        "counts": called.counts,
        "limits": called.limits,
    }


def _counted(lineage: NDArray[np.int8]) -> str:
    found = np.bincount(lineage, minlength=len(LINEAGES))
    return ", ".join(f"{n:,} {name}" for name, n in zip(LINEAGES, found, strict=True) if n)
