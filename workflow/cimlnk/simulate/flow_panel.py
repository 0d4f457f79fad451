"""The panel of the synthetic flow files: which dye is on which antibody, how bright it is, and where it spills.

``python -m cimlnk.simulate.flow_panel`` writes ``resources/panels/synthetic_flow.tsv``. Brightness and spillover are
numbers of our choice, of the size that conventional panels of sixteen dyes have.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from .proteins import KIR, MARKERS

SCATTER = ("FSC-A", "FSC-H", "FSC-W", "SSC-A", "SSC-H", "SSC-W")
VIABILITY = "Zombie NIR-A"
KIR_DYE = ("PE-Cy7-A", "CD158")  # three clones in one dye
# channel, marker, role, brightness, used for the graph
_PANEL = (
    ("BUV395-A", "CD3", "lineage", 0.7, "no"),
    ("BUV496-A", "CD19", "lineage", 0.8, "no"),
    ("BUV737-A", "CD14", "lineage", 1.1, "no"),
    ("BV421-A", "CD56", "identity", 1.5, "yes"),
    ("BV510-A", "HLA-DR", "activation", 0.7, "yes"),
    ("BV605-A", "CD16", "identity", 1.1, "yes"),
    ("BV711-A", "CD57", "maturation", 1.3, "yes"),
    ("BV785-A", "CD69", "activation", 1.2, "yes"),
    ("FITC-A", "CD7", "identity", 0.6, "yes"),
    ("PerCP-Cy5-5-A", "CD38", "activation", 0.5, "yes"),
    ("PE-A", "NKG2C", "maturation", 1.8, "yes"),
    ("PE-CF594-A", "Ki-67", "state", 1.6, "yes"),
    (*KIR_DYE, "kir", 1.5, "yes"),
    ("APC-A", "NKG2A", "maturation", 1.5, "yes"),
    ("R718-A", "CD25", "activation", 1.0, "yes"),
    (VIABILITY, "Viability", "viability", 1.0, "no"),
)
DYES = tuple(row[0] for row in _PANEL)
BRIGHTNESS = tuple(row[3] for row in _PANEL)
MARKER_OF = {row[0]: row[1] for row in _PANEL}
_SPILL = {
    ("BUV395-A", "BUV496-A"): 0.03, ("BUV496-A", "BV510-A"): 0.06, ("BUV737-A", "BV711-A"): 0.05,
    ("BUV737-A", "BV785-A"): 0.04, ("BV421-A", "BV510-A"): 0.08, ("BV421-A", "BUV395-A"): 0.02,
    ("BV510-A", "BV605-A"): 0.10, ("BV605-A", "BV711-A"): 0.12, ("BV605-A", "PE-CF594-A"): 0.06,
    ("BV711-A", "BV785-A"): 0.16, ("BV711-A", "R718-A"): 0.07, ("BV785-A", "PE-Cy7-A"): 0.03,
    ("FITC-A", "BV510-A"): 0.03, ("FITC-A", "PE-A"): 0.05, ("PerCP-Cy5-5-A", "BV711-A"): 0.14,
    ("PerCP-Cy5-5-A", "R718-A"): 0.08, ("PE-A", "PE-CF594-A"): 0.28, ("PE-A", "FITC-A"): 0.01,
    ("PE-CF594-A", "PerCP-Cy5-5-A"): 0.18, ("PE-CF594-A", "PE-A"): 0.06, ("PE-Cy7-A", "BV785-A"): 0.05,
    ("PE-Cy7-A", "PE-A"): 0.02, ("APC-A", "R718-A"): 0.15, ("APC-A", "BV711-A"): 0.01,
    ("R718-A", "Zombie NIR-A"): 0.12, ("R718-A", "BV711-A"): 0.04, ("Zombie NIR-A", "R718-A"): 0.05,
}  # fmt: skip


@cache
def spillover() -> np.ndarray:
    """Share of every dye's light (rows) in every detector (columns), DYES × DYES; the diagonal is one."""
    matrix = np.eye(len(DYES))
    for (dye, detector), share in _SPILL.items():
        matrix[DYES.index(dye), DYES.index(detector)] = share
    return matrix


@cache
def sources() -> np.ndarray:
    """Which markers a dye shows, MARKERS × DYES."""
    result = np.zeros((len(MARKERS), len(DYES)))
    for column, dye in enumerate(DYES):
        shown = KIR if dye == KIR_DYE[0] else (MARKER_OF[dye],)
        for marker in shown:
            if marker in MARKERS:
                result[MARKERS.index(marker), column] = 1.0
    return result


def panel() -> pd.DataFrame:
    """The panel sheet, in the order of the FCS files; cofactors are left to be estimated."""
    rows = [(name, name, "scatter", "no") for name in SCATTER]
    rows += [(channel, marker, role, cluster) for channel, marker, role, _, cluster in _PANEL]
    rows.append(("Time", "Time", "time", "no"))
    return pd.DataFrame(rows, columns=["channel", "marker", "role", "cluster"])


def write_panel(path: Path) -> None:
    """Write the sheet."""
    panel().to_csv(path, sep="\t", index=False, lineterminator="\n")


if __name__ == "__main__":
    write_panel(Path("resources/panels/synthetic_flow.tsv"))
