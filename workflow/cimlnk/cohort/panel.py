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
    panel: pd.DataFrame | None, samples: pd.DataFrame | None, cfg: Mapping[str, Any], *, problems: Problems
) -> None:
    """Channels and markers once (by any alias), one time channel, markers for the NK gate and for the graph."""
    file = cfg["cohort"]["panel"]
    if file is None:
        if samples is not None and (samples["modality"] == "cytof").any():
            expected = "the path of a panel sheet, as there are cytof samples"
            problems.add("config", "cohort.panel", Plain("null"), expected)
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
    identity, cytof = cfg["cytof"]["nk_identity"], samples is not None and (samples["modality"] == "cytof").any()
    markers = list(panel.loc[~panel["role"].isin(UNREAD), "marker"].dropna())
    if cytof and (canonical(identity) or identity) not in map(marker_name, markers):
        expected = f"a marker of {file}, since it is the one that tells NK cells"
        problems.add("config", "cytof.nk_identity", identity, expected, markers)
    n_cluster = int((panel["cluster"] == "yes").sum())
    if n_cluster < 2:
        expected = "at least two markers for the neighbour graph"
        problems.add(file, "column cluster", Plain(f"{n_cluster} 'yes'"), expected)


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
