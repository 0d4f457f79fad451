"""Debarcoding of files: a pooled FCS file to assignments, and the assignments to one FCS file per sample."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.tables import Schema, read_table, write_table
from cimlnk.cytof.prepare import columns_of_masses, read_acquisition, write_acquisition

from .assign import Assignment, debarcode
from .figure import draw_barcodes
from .key import BarcodeKey, read_key

log = logging.getLogger("cimlnk.cytof.barcodes")

ASSIGNMENTS = Schema(
    "assignments",
    {
        "event": ("int", "0-based index in the pooled file"),
        "sample": ("str?", "sample of the key; missing if unassigned"),
        "separation": ("float32", "gap between the carried and the other metals, 1 = full staining"),
        "distance": ("float32", "squared Mahalanobis distance; NaN below the cut-off"),
    },
)
YIELDS = Schema(
    "yields",
    {
        "sample": ("str", "sample of the key"),
        "code": ("str", "barcode masses carried"),
        "n_nearest": ("int", "events whose brightest metals are the code"),
        "n_above_cutoff": ("int", "of these, above the separation cut-off"),
        "n_assigned": ("int", "of these, within the Mahalanobis distance"),
        "cutoff": ("float", "separation cut-off"),
        "expected_doublets": ("float", "share of doublets expected above the cut-off; NaN if not estimable"),
        "reason": ("str?", "why the cut-off or the distance could not be had from the sample's own events"),
    },
)


def debarcode_file(
    fcs: str | Path,
    key: str | Path,
    assignments: str | Path,
    *,
    yields: str | Path,
    figure: str | Path,
    settings: Mapping[str, Any],
    pool: str | None = None,
    samples: Sequence[str] = (),
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Debarcode a pooled file.

    Parameters
    ----------
    fcs, key
        The pooled file (raw or bead-normalised) and the key sheet.
    assignments, yields
        Tables written (ASSIGNMENTS, YIELDS).
    figure
        SVG or PNG written.
    settings
        The section `cytof.debarcoding` of the config.
    pool
        Name of the pool in the key sheet, if it has a column `pool`.
    samples
        Samples of the cohort that must be in the key; further ones in the key are recognised and left alone.

    Raises
    ------
    UserError
        For a faulty key, samples that are not in it, or barcode masses without a channel in the file.
    """
    codes = read_key(key, pool)
    problems = Problems()
    for s in samples:
        if s not in codes.samples:
            problems.add(key, "column of sample names", Plain(f"no row of sample {s}"), "its code", codes.samples)
    problems.raise_if_any()
    acquisition = read_acquisition(fcs)
    counts = acquisition.events[:, columns_of_masses(acquisition.metals, codes.masses, "barcode", source=fcs)]
    cutoff = float(settings["separation_cutoff"])
    found = debarcode(
        counts,
        codes,
        cutoff=cutoff if cutoff > 0 else None,
        doublets=float(settings["expected_doublets"]),
        mahalanobis=float(settings["mahalanobis_cutoff"]),
        cofactor=float(settings["cofactor"]),
        seed=seed,
    )
    names = np.array([*codes.samples, None], dtype=object)
    table = pd.DataFrame(
        {
            "event": np.arange(len(counts)),
            "sample": names[found.sample],
            "separation": found.separation,
            "distance": found.distance,
        }
    )
    write_table(table, assignments, ASSIGNMENTS, provenance=provenance)
    summary = yields_table(found)
    write_table(summary, yields, YIELDS, provenance=provenance)
    draw_barcodes(figure, counts, found, cofactor=float(settings["cofactor"]), seed=seed)
    log.info("%s: %.1f %% of %d events assigned to %d samples", fcs, 100 * found.share, len(counts), len(codes.samples))
    for row in summary[summary["n_assigned"] == 0].itertuples():
        log.warning("%s: no event of sample %s (%s)", fcs, row.sample, row.code)


def yields_table(found: Assignment) -> pd.DataFrame:
    """YIELDS of an assignment, samples in the order of the key."""
    key: BarcodeKey = found.key
    n = len(key.samples)
    passed = np.isin(found.nearest, range(n)) & (found.separation > np.append(found.cutoffs, np.inf)[found.nearest])
    above = np.bincount(found.nearest[passed], minlength=n)
    near = np.bincount(found.nearest[found.nearest >= 0], minlength=n)
    reasons = []
    for i in range(n):
        few = [] if np.isfinite(found.expected_doublets[i]) else ["cut-off not estimated from the sample's own events"]
        if above[i] < 3 * len(key.masses):
            few.append("too few events for a Mahalanobis distance")
        reasons.append("; ".join(few) or None)
    return pd.DataFrame(
        {
            "sample": list(key.samples),
            "code": [" ".join(str(m) for m, b in zip(key.masses, row, strict=True) if b) for row in key.code],
            "n_nearest": near,
            "n_above_cutoff": above,
            "n_assigned": found.counts,
            "cutoff": found.cutoffs,
            "expected_doublets": found.expected_doublets,
            "reason": reasons,
        }
    )


def split_file(fcs: str | Path, assignments: str | Path, sample: str, *, separate: str | Path) -> None:
    """Write the events of one sample of a pooled file, all channels, in their order.

    Raises
    ------
    UserError
        If no event was assigned to the sample, or the assignments belong to another file.
    """
    acquisition = read_acquisition(fcs)
    table = read_table(assignments, ASSIGNMENTS)
    if len(table) != len(acquisition.events):
        found = Plain(f"{len(table)} events")
        raise UserError(assignments, "number of rows", found, f"{len(acquisition.events)} as in {fcs}")
    mine = (table["sample"] == sample).to_numpy()
    if not mine.any():
        raise UserError(fcs, f"sample {sample}", Plain("no event assigned"), "events with its barcode; see the yields")
    write_acquisition(separate, acquisition, acquisition.events[mine], step="debarcoded", note=f"sample {sample}")
