"""The panel sheet: names, roles, and whether it has what gating and clustering need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from cimlnk.common.errors import Plain, Problems
from cimlnk.common.markers import canonical

from .read import LINE

UNREAD = ("ignore", "autofluorescence")
TECHNICAL = (
    "bead", "dna", "viability", "time", "event_length", "gaussian", "barcode", "scatter", "pulse", *UNREAD
)  # fmt: skip
ONCE = ("time", "event_length", "viability", "dump")


def check_panel(
    panel: pd.DataFrame | None,
    samples: pd.DataFrame | None,
    cfg: Mapping[str, Any],
    *,
    problems: Problems,
    modality: str = "cytof",
) -> None:
    """Channels and markers once (by any alias), one time channel, markers for the NK gate and for the graph.

    `panel` is that of one kind of cytometry, ``cytof`` or ``flow``; see :func:`panel_file`.
    """
    file = panel_file(cfg, modality)
    used = samples is not None and (samples["modality"] == modality).any()
    if file is None:
        if used:
            expected = f"the path of a panel sheet, as there are {modality} samples"
            problems.add("config", "cohort.panel", Plain("null"), expected)
        return
    if (
        modality == "flow"
        and cfg["flow"]["panel"] is None
        and samples is not None
        and set(samples["modality"]) >= {"cytof", "flow"}
    ):
        expected = "the path of the panel sheet of the flow files, as cohort.panel is that of the mass cytometry files"
        problems.add("config", "flow.panel", Plain("null"), expected)
        return
    if panel is None:
        return
    _once(panel, "channel", file, problems=problems)
    _once(panel[~panel["role"].isin(UNREAD)], "marker", file, problems=problems)
    for row in panel.to_dict("records"):
        if row["cluster"] == "yes" and row["role"] in TECHNICAL:
            expected = f"no, as the role is {row['role']}"
            problems.add(file, f"row {row[LINE]}, column cluster", "yes", expected)
    for role in ONCE:
        rows = panel[panel["role"] == role]
        for row in rows.iloc[1:].to_dict("records"):
            expected = f"one channel of role {role}, but row {rows.iloc[0][LINE]} has it too"
            problems.add(file, f"row {row[LINE]}, column role", role, expected)
    if not panel["role"].isin(["lineage", "identity"]).any():
        problems.add(file, "column role", Plain("no lineage and no identity marker"), "markers that define NK cells")
    identity = cfg[modality]["nk_identity"]
    markers = list(panel.loc[~panel["role"].isin(UNREAD), "marker"].dropna())
    if used and (canonical(identity) or identity) not in map(marker_name, markers):
        expected = f"a marker of {file}, since it is the one that tells NK cells"
        problems.add("config", f"{modality}.nk_identity", identity, expected, markers)
    n_cluster = int((panel["cluster"] == "yes").sum())
    if n_cluster < 2:
        expected = "at least two markers for the neighbour graph"
        problems.add(file, "column cluster", Plain(f"{n_cluster} 'yes'"), expected)


def panel_file(cfg: Mapping[str, Any], modality: str) -> str | None:
    """The panel sheet of a kind of cytometry: ``flow.panel`` where it is given, else ``cohort.panel``."""
    own = cfg["flow"]["panel"] if modality == "flow" else None
    file: str | None = own if own is not None else cfg["cohort"]["panel"]
    return file


def marker_name(name: str) -> str:
    """The name a marker of a panel goes by from here on: ``resources/markers.tsv``'s, else the sheet's own."""
    return canonical(name) or name


def rename_markers(panel: pd.DataFrame) -> pd.DataFrame:
    """The panel with every marker by the name that definitions use: ``CD159a`` becomes ``NKG2A``.

    Rows that are nobody's marker (never read, barcodes, scatter, dump) keep their names.
    """
    named = ~panel["role"].isin([*UNREAD, "barcode", "scatter", "dump"]) & panel["marker"].notna()
    return panel.assign(marker=panel["marker"].where(~named, panel["marker"].map(marker_name, na_action="ignore")))


def _once(table: pd.DataFrame, column: str, file: str, *, problems: Problems) -> None:
    seen: dict[str, tuple[int, str]] = {}
    for name, row in zip(table[column], table[LINE], strict=True):
        if name is None:
            continue
        meant = marker_name(name) if column == "marker" else name
        first, spelled = seen.setdefault(meant, (row, name))
        if first != row:
            it = "it" if spelled == name else f"{spelled!r}, the same marker,"
            problems.add(
                file, f"row {row}, column {column}", name, f"every {column} once, but row {first} has {it} too"
            )
