"""Thresholds of a batch: found in events of all its samples together, for samples that show no peak themselves."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cimlnk.common import seeds
from cimlnk.common.errors import UserError
from cimlnk.common.job import keep_going
from cimlnk.cytof.panel import Matched, compact, load_panel
from cimlnk.cytof.transform import check_scale

from .density import Threshold
from .gate import gate_events
from .read import read_channels
from .scale import gating_scale
from .spec import load_gates, up_to

log = logging.getLogger("cimlnk.cytof")


def make_pool(
    files: Mapping[str, str | Path],
    batches: Mapping[str, str],
    panel: str | Path,
    *,
    gates: str | Path,
    output: str | Path,
    settings: Mapping[str, Any],
    seed: int,
    provenance: Mapping[str, Any] | None = None,
    until: str | None = None,
) -> None:
    """Gate the pooled events of each batch and write its thresholds (JSON: batch -> gate -> threshold).

    Parameters
    ----------
    files, batches
        FCS file and batch by sample.
    panel, gates
        Panel sheet and gating hierarchy.
    output
        JSON file written.
    settings
        The config's section `cytof`; each sample gives `pool_events` events, drawn without replacement.

    until
        Last node looked at; ``live`` where the gates behind it follow the lineages. Default all.

    Raises
    ------
    UserError
        If a file cannot be read. With ``--keep-going`` it (and one that memory does not hold) is passed over here: its
        own job tells and leaves it out.
    """
    sheet, nodes = load_panel(panel), load_gates(gates)
    if until is not None:
        nodes = up_to(nodes, until)
    result: dict[str, dict[str, Any]] = {}
    for batch in sorted(set(batches.values())):
        parts: list[tuple[np.ndarray, Matched]] = []
        for sample in [s for s in files if batches[s] == batch]:
            try:
                part, matched = _draw(files[sample], sheet, settings, rng=seeds.rng(seed, "cytof pool", sample))
            except (UserError, MemoryError) as error:
                if not keep_going():
                    raise
                log.warning("%s is not in the pool of its batch: %s", sample, error)
                continue
            parts.append((part, matched))
        if not parts:
            result[batch] = {}
            continue
        events, template = _together(parts)
        gated = gate_events(events, template, nodes, settings=settings, sample=f"batch {batch}", seed=seed)
        result[batch] = {gate: asdict(t) for gate, t in gated.thresholds.items()}
    content = {"batches": result, "provenance": dict(provenance or {})}
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    Path(output).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load_pool(path: str | Path, batch: str) -> dict[str, Threshold]:
    """Thresholds of a batch by gate name, as :func:`make_pool` wrote them."""
    content = json.loads(Path(path).read_text(encoding="utf-8"))
    return {gate: Threshold(**t) for gate, t in content["batches"].get(batch, {}).items()}


def thresholds_of(pool: str | Path | None, batch: str) -> dict[str, Threshold] | None:
    """:func:`load_pool`, or None where there is no pool."""
    return None if pool is None else load_pool(pool, batch)


def _draw(
    path: str | Path, sheet: Any, settings: Mapping[str, Any], *, rng: np.random.Generator
) -> tuple[np.ndarray, Matched]:
    _, matched, events = read_channels(path, sheet)
    size = min(len(events), int(settings["pool_events"]))
    rows = np.sort(rng.choice(len(events), size, replace=False))
    events = events[rows]
    check_scale(events[:, [c.column for c in matched.markers]], settings["input_scale"], path)
    return gating_scale(events, matched, settings["input_scale"]), matched


def _together(parts: Sequence[tuple[np.ndarray, Matched]]) -> tuple[np.ndarray, Matched]:
    """The events of a batch's files one below the other, and their channels: those that every file has."""
    shared = [c.marker for c in parts[0][1].channels if all(m.of_marker(c.marker) for _, m in parts)]
    rows = [part[:, [c.column for s in shared if (c := m.of_marker(s)) is not None]] for part, m in parts]
    return np.vstack(rows), compact(Matched(tuple(c for c in parts[0][1].channels if c.marker in shared), ()))
