"""The panel sheet: names, roles, and whether it has what gating and clustering need."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from cimlnk.common.errors import Plain, Problems

# fmt: off
CANONICAL = (
    "CD45", "CD3", "CD19", "CD14", "CD33", "CD4", "CD8a", "CD56", "CD16", "CD94", "CD7", "CD127", "CD117", "NKG2A",
    "NKG2C", "CD57", "CD62L", "CD27", "KIR2DL1", "KIR2DL2_3", "KIR3DL1", "CD25", "CD69", "HLA-DR", "CD38", "CD122",
    "NKG2D", "NKp30", "NKp44", "NKp46", "DNAM-1", "CD2", "TIM-3", "TIGIT", "PD-1", "LAG-3", "T-bet", "Eomes", "Ki-67",
    "GranzymeB", "Perforin", "CXCR3", "DNA1", "DNA2", "Viability", "Time", "Event_length", "Center", "Offset", "Width",
    "Residual", "Bead140", "Bead151", "Bead153", "Bead165", "Bead175",
)
# fmt: on
TECHNICAL = ("bead", "dna", "viability", "time", "event_length", "gaussian", "barcode", "ignore")
ONCE = ("time", "event_length", "viability")


def check_panel(
    panel: pd.DataFrame | None, samples: pd.DataFrame | None, cfg: Mapping[str, Any], problems: Problems
) -> None:
    """Channels and markers once, canonical spelling, one time channel, markers for the NK gate and for the graph."""
    file = cfg["cohort"]["panel"]
    if file is None:
        if samples is not None and (samples["modality"] == "cytof").any():
            expected = "the path of a panel sheet, as there are cytof samples"
            problems.add("config", "cohort.panel", Plain("null"), expected)
        return
    if panel is None:
        return
    _once(panel, "channel", file, problems)
    _once(panel[panel["role"] != "ignore"], "marker", file, problems)
    plain_names = {_plain(name): name for name in CANONICAL}
    for row in panel.to_dict("records"):
        where, marker = f"row {row['row']}, column marker", row["marker"]
        meant = None if marker is None else plain_names.get(_plain(marker))
        if meant is not None and meant != marker and row["role"] != "ignore":
            problems.add(file, where, marker, f"{meant!r}, the spelling the population definitions use", [meant])
        if row["cluster"] == "yes" and row["role"] in TECHNICAL:
            expected = f"no, as the role is {row['role']}"
            problems.add(file, f"row {row['row']}, column cluster", "yes", expected)
    for role in ONCE:
        rows = panel[panel["role"] == role]
        for row in rows.iloc[1:].to_dict("records"):
            expected = f"one channel of role {role}, but row {rows.iloc[0]['row']} has it too"
            problems.add(file, f"row {row['row']}, column role", role, expected)
    if not panel["role"].isin(["lineage", "identity"]).any():
        problems.add(file, "column role", Plain("no lineage and no identity marker"), "markers that define NK cells")
    identity, cytof = cfg["cytof"]["nk_identity"], samples is not None and (samples["modality"] == "cytof").any()
    markers = list(panel.loc[panel["role"] != "ignore", "marker"].dropna())
    if cytof and identity not in markers:
        expected = f"a marker of {file}, since it is the one that tells NK cells"
        problems.add("config", "cytof.nk_identity", identity, expected, markers)
    n_cluster = int((panel["cluster"] == "yes").sum())
    if n_cluster < 2:
        expected = "at least two markers for the neighbour graph"
        problems.add(file, "column cluster", Plain(f"{n_cluster} 'yes'"), expected)


def _once(table: pd.DataFrame, column: str, file: str, problems: Problems) -> None:
    seen: dict[str, int] = {}
    for name, row in zip(table[column], table["row"], strict=True):
        if name is not None and seen.setdefault(name, row) != row:
            problems.add(
                file, f"row {row}, column {column}", name, f"every {column} once, but row {seen[name]} has it too"
            )


def _plain(name: str) -> str:
    """A marker's letters and digits in lower case: HLADR, hla_dr and HLA-DR are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())
