"""Spillover of files: single stains (or a given table) to a matrix, and a file to its compensated one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.json import write_json
from cimlnk.cytof.barcodes import debarcode, make_key
from cimlnk.cytof.metals import parse_metal
from cimlnk.cytof.prepare import already, columns_of_masses, read_acquisition, write_acquisition

from .compensate import compensate
from .estimate import estimate_spillover
from .figure import draw_compensation, draw_matrix
from .matrix import read_matrix, write_matrix

log = logging.getLogger("cimlnk.cytof.spillover")

STEP = "compensated"


def make_matrix(source: str | Path, matrix: str | Path, figure: str | Path, *, settings: Mapping[str, Any]) -> None:
    """Write the spillover matrix of a cohort.

    Parameters
    ----------
    source
        With ``settings["single_stains"]`` set, the FCS file of the single stains acquired together: every event is
        given to one stain by single-positive debarcoding, then :func:`estimate_spillover`. Otherwise the matrix given
        as ``settings["matrix"]``, which is checked.
    matrix, figure
        CSV and SVG (or PNG) written.
    settings
        The section `cytof.spillover` of the config.

    Raises
    ------
    UserError
        For masses without a channel, stains with too few events, or an invalid matrix.
    """
    if not settings["single_stains"]:
        table = read_matrix(source)
    else:
        acquisition = read_acquisition(source)
        stained = list(settings["stained_masses"])
        columns = columns_of_masses(acquisition.metals, stained, "single-stain", source=source)
        if len(stained) < 2:
            raise UserError(source, "config cytof.spillover.stained_masses", Plain(f"{len(stained)}"), "two or more")
        key = make_key([str(m) for m in stained], stained, np.eye(len(stained), dtype=int), source=source)
        found = debarcode(acquisition.events[:, columns], key)
        log.info("%s: %.1f %% of events given to %d single stains", source, 100 * found.share, len(stained))
        stain = np.append(columns, -1)[found.sample]
        table = estimate_spillover(
            acquisition.events, acquisition.metals, stain, minimum=int(settings["minimum_events"]), source=source
        )
    write_matrix(table, matrix)
    draw_matrix(figure, read_matrix(matrix))  # as it will be used, with the file's six digits


def compensate_file(
    fcs: str | Path,
    matrix: str | Path,
    compensated: str | Path,
    *,
    record: str | Path,
    figure: str | Path,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Compensate one file; only this file is in memory.

    Parameters
    ----------
    fcs, matrix
        Raw (or normalised, or debarcoded) file, and the CSV of :func:`make_matrix`.
    compensated
        FCS file written, all events and channels.
    record
        JSON written: the matrix's notes, and per channel the mean count before and after.
    figure
        SVG or PNG written: the pairs that spill most, before and after.

    Raises
    ------
    UserError
        If the file was compensated before or the matrix is invalid.
    """
    acquisition = read_acquisition(fcs)
    if already(acquisition, STEP):
        raise UserError(fcs, "keyword CIMLNK_COMPENSATED", Plain("a file compensated before"), "uncompensated counts")
    table = read_matrix(matrix)
    events, notes = compensate(acquisition.events, acquisition.metals, table)
    write_acquisition(compensated, acquisition, events, step=STEP, note=f"matrix {Path(matrix).name}")
    masses = [i for i, c in enumerate(acquisition.metals) if parse_metal(c) is not None]
    means = {
        acquisition.metals[i]: {
            "mean_before": float(acquisition.events[:, i].mean(dtype=np.float64)) if len(events) else None,
            "mean_after": float(events[:, i].mean(dtype=np.float64)) if len(events) else None,
        }
        for i in masses
    }
    content = {"n_events": len(events), "notes": notes, "channels": means, "provenance": dict(provenance or {})}
    write_json(record, content)
    draw_compensation(figure, acquisition.events, events, channels=acquisition.metals, matrix=table)
    for note in notes:
        log.info("%s: %s", fcs, note)
