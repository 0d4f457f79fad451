"""Bead normalisation of files: the baseline of one file, of a cohort, and the corrected file with its record."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.json import read_json, write_json
from cimlnk.cytof.prepare import already, read_acquisition, write_acquisition

from .figure import draw_beads
from .normalise import bead_baseline, find_beads, normalise_beads

log = logging.getLogger("cimlnk.cytof.beads")

STEP = "normalised"


def bead_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The section `cytof.bead_normalisation` of the config as arguments of :func:`find_beads`."""
    return {
        "beads": list(settings["masses"]),
        "dna": list(settings["dna"]),
        "trim": float(settings["trim"]),
        "minimum": int(settings["minimum_beads"]),
    }


def measure_beads(
    fcs: str | Path, baseline: str | Path, settings: Mapping[str, Any], *, provenance: Mapping[str, Any] | None = None
) -> None:
    """Write the mean intensity of a file's beads (JSON), for a baseline shared by several files.

    Raises
    ------
    UserError
        If the file was normalised before, a channel is missing, or there are too few beads.
    """
    acquisition = read_acquisition(fcs)
    _refuse_normalised(acquisition)
    found = bead_settings(settings)
    call, columns = find_beads(acquisition.events, acquisition.metals, source=fcs, **found)
    write_json(
        baseline,
        {
            "masses": found["beads"],
            "mean": bead_baseline(acquisition.events, call, columns),
            "n_beads": int(call.singlet.sum()),
            "file": Path(fcs).name,
            "provenance": dict(provenance or {}),
        },
    )


def shared_baseline(files: Sequence[str | Path]) -> np.ndarray:
    """The mean over files of their bead means; every file counts the same, however many beads it has.

    Files without usable beads (:func:`leave_out_beads`) do not count.

    Raises
    ------
    UserError
        If no file has beads, or the files were measured with different bead masses.
    """
    measured = {path: content for path in files if not (content := read_json(path)).get("left_out")}
    if not measured:
        raise UserError(files[0], "beads", Plain(f"none in {len(files)} files"), "beads in at least one file")
    first = next(iter(measured))
    for path, m in measured.items():
        if m["masses"] != measured[first]["masses"]:
            raise UserError(path, "masses", m["masses"], f"the masses of {first}, {measured[first]['masses']}")
    return np.mean([m["mean"] for m in measured.values()], axis=0)


def leave_out_beads(error: UserError, baseline: str | Path) -> None:
    """Write the baseline of a file without usable beads: none, and the reason."""
    write_json(baseline, {"left_out": True, "reason": str(error)})


def normalise_file(
    fcs: str | Path,
    normalised: str | Path,
    record: str | Path,
    *,
    figure: str | Path,
    settings: Mapping[str, Any],
    baselines: Sequence[str | Path] = (),
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Normalise one file with its beads; only this file is in memory, corrected in place.

    Parameters
    ----------
    fcs
        Raw file of one acquisition, beads included.
    normalised
        FCS file written: mass channels corrected; with ``settings["remove"]`` without beads and bead doublets.
    record
        JSON written: number of beads and doublets, window, baseline, range of the correction, drift before and after.
    figure
        SVG or PNG written: the beads over time before and after, and the bead gate.
    settings
        The section `cytof.bead_normalisation` of the config.
    baselines
        Files of :func:`measure_beads` whose mean is the baseline; none for the file's own mean.

    Raises
    ------
    UserError
        If the file was normalised before, a channel is missing, or there are too few beads.
    """
    acquisition = read_acquisition(fcs)
    _refuse_normalised(acquisition)
    result = normalise_beads(
        acquisition.events,
        acquisition.metals,
        baseline=shared_baseline(baselines) if baselines else None,
        window=int(settings["window"]),
        copy=False,
        source=fcs,
        **bead_settings(settings),
    )
    remove = bool(settings["remove"])
    note = f"beads {' '.join(map(str, result.bead_masses))}; window {result.window}"
    write_acquisition(
        normalised, acquisition, result.events[result.keep] if remove else result.events, step=STEP, note=note
    )
    content = {
        "n_events": len(result.events),
        "n_beads": int(result.call.singlet.sum()),
        "n_bead_doublets": result.call.n_doublets,
        "n_kept": int(result.keep.sum()) if remove else len(result.events),
        "removed": remove,
        "masses": list(result.bead_masses),
        "baseline": result.baseline,
        "baseline_of": settings["baseline"],
        "window": result.window,
        "factor_min": float(result.factor.min()),
        "factor_max": float(result.factor.max()),
        "drift_before": result.drift_before,
        "drift_after": result.drift_after,
        "provenance": dict(provenance or {}),
    }
    write_json(record, content)
    draw_beads(figure, result, acquisition.metals, dna=settings["dna"])
    log.info(
        "%s: %d beads, %d bead doublets, drift %.1f %% before, %.1f %% after",
        fcs,
        content["n_beads"],
        content["n_bead_doublets"],
        100 * result.drift_before,
        100 * result.drift_after,
    )


def _refuse_normalised(acquisition: Any) -> None:
    if already(acquisition, STEP):
        raise UserError(
            acquisition.path,
            "keyword CIMLNK_NORMALISED",
            Plain("a file normalised before"),
            "raw counts of the instrument",
        )
