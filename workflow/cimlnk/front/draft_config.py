"""The text of a drafted config: comments keep what a YAML writer would drop, the marks of guesses above all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from .scale import Scale


def cohort_config(
    name: str, folder: Path, samples: pd.DataFrame, *, identity: str | None, scale: Scale | None, panel: bool,
    workspaces: Sequence[Path],
) -> str:  # fmt: skip
    """The sections of the cohort, its baseline and mass cytometry; what is a guess is marked, with the reason."""
    quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        "# A drafted cohort. What stands behind “# ?” is a guess: look at it and take the mark away.",
        "cohort:",
        f'  id: "{name}"',
        '  title: "" # ? a line for the top of the report',
        f"  samples: config/samples/{name}.tsv",
    ]
    if panel:
        lines.append(f"  panel: config/panels/{name}.tsv")
    lines += [
        f'  data_root: "{quoted}"',
        "  arms: null  # those of the sample sheet; with a list here any other word is refused",
    ]
    lines.append("  # counts: config/counts/…tsv    NK or lymphocytes per microlitre, for absolute numbers")
    blood = samples[samples["tissue_or_product"] == "blood"].sort_values("day", kind="stable")
    if len(blood) and blood["timepoint"].nunique() > 1:
        first = blood.iloc[0]
        said = f'baseline_timepoint: "{first["timepoint"]}"'
        if first["day"] <= 0:
            lines += ["dynamics:", f"  {said} # ? the earliest time point of blood"]
        else:
            lines.append(f"# dynamics: no blood at day 0 or before, so no baseline and no folds ({said} is too late)")
    if scale is not None:
        lines += ["cytof:", f"  input_scale: {scale.name} # ? {scale.why}"]
        if identity is None:
            lines.append("  # nk_identity: no marker that tells NK cells was found in the panel")
        else:
            mark = "" if identity == "CD56" else " # ? the panel has no CD56"
            lines.append(f"  nk_identity: {identity}{mark}")
        for path in workspaces[:1]:
            lines += ["  # manual_gates:", f'  #   file: "{path}" # ? use the gates of this workspace']
    return "\n".join(lines) + "\n"


def flow_config(name: str, identity: str | None, *, own_panel: bool, workspaces: Sequence[Path]) -> str:
    """The section of flow cytometry; cofactors and spillover come from the files."""
    lines = ["flow:"]
    if own_panel:
        lines.append(f"  panel: config/panels/{name}_flow.tsv")
    if identity is None:
        lines.append("  # nk_identity: no marker that tells NK cells was found in the panel")
    else:
        mark = "" if identity == "CD56" else " # ? the panel has no CD56"
        lines.append(f"  nk_identity: {identity}{mark}")
    lines.append("  # compensation: by each file's own matrix unless its values are compensated already")
    for path in workspaces[:1]:
        lines += ["  # manual_gates:", f'  #   file: "{path}" # ? use the gates of this workspace']
    if len(lines) == 3 and identity is None:
        lines.append("  target_lineage: NK")  # a section of comments alone is none
    return "\n".join(lines) + "\n"


def sheets_config(name: str, donors: pd.DataFrame, antibodies: pd.DataFrame) -> str:
    """The sections that name the sheets of antibodies and donors, where such were drafted."""
    lines = []
    if len(antibodies):
        lines += ["rna:", f"  antibodies: config/antibodies/{name}.tsv"]
    if len(donors):
        lines += ["donors:", f"  sheet: config/donors/{name}.tsv",
                  "  design: not_stated # ? graft_donor, third_party or autologous: who gave the NK cells",
                  "  # persons: config/persons/…tsv    patient, person, role: who may be among the cells"]  # fmt: skip
    return "".join(line + "\n" for line in lines)
