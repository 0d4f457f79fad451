"""All mass-cytometry files again with what was found in them, and one workspace that opens them with their gates."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cimlnk.cytof.gating.gatingml import scale_factor
from cimlnk.cytof.h5ad import read_names, read_record

from .fcs import ADDED, export_fcs, lowest_place, population_names
from .gates import kept, read_gates
from .workspace import Kept, write_workspace

log = logging.getLogger(__name__)


def export_cytometry(
    *,
    samples: Sequence[str],
    fcs: Sequence[str | Path],
    cells: Sequence[str | Path],
    gates: Sequence[str | Path],
    populations: str | Path,
    umap: str | Path,
    folder: str | Path,
    workspace: str | Path,
    provenance: Mapping[str, Any],
) -> None:
    """Write ``export/fcs/{sample}.fcs`` (see :func:`cimlnk.export.fcs.export_fcs`) and ``export/workspace.wsp``.

    A sample that was left out of the run is left out here too. Memory holds one file at a time.

    Parameters
    ----------
    samples, fcs, cells, gates
        Names, gated files, h5ad files and GatingML files, in one order.
    populations, umap
        Of the whole cohort.
    folder, workspace
        What is written.
    """
    names, corner = population_names(populations), lowest_place(umap)
    Path(folder).mkdir(parents=True, exist_ok=True)
    done = []
    for sample, file, own, xml in zip(samples, fcs, cells, gates, strict=True):
        if read_record(own).get("left_out"):
            log.info("%s: left out of the run, not exported", sample)
            continue
        written = export_fcs(
            fcs=file, cells=own, populations=populations, umap=umap, output=Path(folder) / f"{sample}.fcs",
            provenance=provenance, names=names, corner=corner,
        )  # fmt: skip
        header, events, codes = written
        channels = list(header.channels)
        boxes = read_gates(xml)

        def values(channel: str, header: Any = header, events: Any = events) -> Any:
            return events[:, header.index(channel)].astype(np.float64) * scale_factor(header, channel)

        inside = kept(boxes, values, len(events))
        code = events[:, len(channels) + 1].astype(int)
        markers = read_names(own)[1]
        done.append(
            Kept(
                file=f"{sample}.fcs",
                gates=boxes,
                counts={g: int(m.sum()) for g, m in inside.items()},
                n_events=len(events),
                channels=[*channels, *ADDED],
                cofactors=dict(zip(markers["channel"], markers["cofactor"].astype(float), strict=True)),
                populations={n: (c, int((code == c).sum())) for n, c in codes.items()},
                n_nk=int(events[:, len(channels)].sum()),
            )
        )
    write_workspace(workspace, done)
    log.info("%d of %d samples exported", len(done), len(samples))
