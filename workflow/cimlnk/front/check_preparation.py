"""Look whether the files have the channels that the preparation asked for needs: beads, barcodes, spillover."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cimlnk.cohort.words import count, listed
from cimlnk.common.errors import UserError
from cimlnk.common.home import locate
from cimlnk.cytof.barcodes.key import read_key
from cimlnk.cytof.fcs.header import FcsHeader
from cimlnk.cytof.prepare import columns_of_masses, time_column
from cimlnk.cytof.spillover.matrix import read_matrix

from .findings import STOP, WARN, Findings


def look_at_preparation(
    headers: Mapping[str, FcsHeader], settings: Mapping[str, Any], base: Path, *, findings: Findings
) -> None:
    """Channels of the bead, DNA and barcode masses in every file, and the sheets that the steps read.

    Parameters
    ----------
    headers
        Sample -> header of its file; several samples of a barcoded pool share one.
    settings
        The section `cytof` of the config.
    base
        Folder to which paths refer.
    """
    beads, barcodes, spillover = (settings[step] for step in ("bead_normalisation", "debarcoding", "spillover"))
    if beads["enabled"]:

        def has_beads(names: Sequence[str], path: Path) -> None:
            columns_of_masses(names, beads["masses"], "bead", source=path)
            columns_of_masses(names, beads["dna"], "DNA", source=path)
            time_column(names, path)

        _refused(headers, has_beads, "bead normalisation", findings=findings)
    if barcodes["enabled"] and barcodes["key"]:
        key = locate(barcodes["key"], base)

        def has_barcodes(names: Sequence[str], path: Path) -> None:
            columns_of_masses(names, read_key(key, path.stem).masses, "barcode", source=path)

        _refused(headers, has_barcodes, "debarcoding", findings=findings)
    if spillover["enabled"] and spillover["matrix"]:
        try:
            read_matrix(locate(spillover["matrix"], base))
        except UserError as error:
            findings.add(STOP, str(error).splitlines()[0])


def _refused(
    headers: Mapping[str, FcsHeader], look: Callable[[Sequence[str], Path], None], step: str, *, findings: Findings
) -> None:
    """One line for all samples of which the same is to be said."""
    kinds: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], str] = {}
    for sample, header in headers.items():
        try:
            look(list(header.markers if header.swapped else header.channels), Path(header.path))
        except UserError as error:
            kind = error.where, str(error.found)
            kinds.setdefault(kind, []).append(sample)
            first.setdefault(kind, str(error).splitlines()[0])
    for kind, samples in kinds.items():
        who = samples[0] if len(samples) == 1 else f"{len(samples)} samples ({listed(samples)})"
        findings.add(WARN, f"{who} would be left out by {step}: {first[kind]}")
    refused = sum(map(len, kinds.values()))
    if refused and refused == len(headers):
        lacking = f"{step}: none of {count(refused, 'sample')} has what it needs"
        findings.add(STOP, f"{lacking}: switch it off, or name other masses")
