"""A small synthetic cohort of flow cytometry: light of dyes, spillover, autofluorescence, doublets, dead cells, debris.

    PYTHONPATH=workflow python -m tests.support.flow_cohort FOLDER      # files, sheets and config below FOLDER

Cells come from the generator of the scenarios, which knows neither gates nor lineage calls.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.scenarios.cells import LIGHT_COFACTOR, course, make

DYES = {
    "CD3": "BUV395", "CD19": "BUV737", "CD14": "BV421", "CD16": "BV605", "CD56": "BV786", "CD7": "FITC", "CD57": "PE",
    "NKG2A": "PE-Cy7", "NKG2C": "APC", "CD25": "Alexa Fluor 700", "CD62L": "PerCP-Cy5.5", "HLA-DR": "BV510",
    "KIR2DL1": "BV650", "KIR3DL1": "PE-Dazzle594", "Ki-67": "BV711",
}  # fmt: skip
DYE = "Zombie NIR"
ROLES = {"CD3": "lineage", "CD19": "lineage", "CD14": "lineage", "HLA-DR": "lineage", "CD16": "identity"}
ROLES |= {"CD56": "identity", "CD7": "identity"}
OTHERS = {"CD4_T": 420, "CD8_T": 260, "B": 130, "monocyte": 150, "nonclassical": 20, "cDC": 10}
DEAD, DOUBLETS, DEBRIS = 0.08, 0.05, 0.06
AUTOFLUORESCENCE = {"monocyte": 250.0, "nonclassical": 200.0, "cDC": 200.0}
PER_UNIT = 4.0  # Aurora-like scale: light units of the scenarios, four times as many here


def spillover(n: int, seed: int = 7) -> np.ndarray:
    """Neighbouring dyes spill most, as in a panel over five lasers."""
    random = np.random.default_rng(seed)
    matrix = np.eye(n)
    for i in range(n):
        for j in range(n):
            if 0 < abs(i - j) <= 2:
                matrix[i, j] = random.uniform(0.02, 0.2) / abs(i - j)
    return matrix.round(4)


def write_cohort(
    folder: Path, patients: Sequence[str] = ("P1", "P2"), *, n_nk: int = 300, others: float = 1.0, seed: int = 11
) -> Path:
    """Write files, sheets and a config of infused patients (blood before, product, days 7 and 28); the config's path.

    ``truth/<sample>.tsv`` says of every event its kind, and whether it is dead, a doublet or debris.
    """
    raw, truth = folder / "raw", folder / "truth"
    raw.mkdir(parents=True, exist_ok=True)
    truth.mkdir(exist_ok=True)
    rows, counts = [], []
    days = {"pre": -7, "product": 0, "D7": 7, "D28": 28}
    names, dyes = [*DYES, "Viability"], [*DYES.values(), DYE]
    matrix = spillover(len(dyes))
    for number, patient in enumerate(patients):
        batch = f"day{number + 1}"
        files = [
            replace(
                f,
                n_nk=n_nk,
                others={
                    k: max(int(others * (v if f.timepoint != "product" else v // 12)), 1) for k, v in OTHERS.items()
                },
            )
            for f in course(patient, batch)
        ]
        cohort = make(files, seed, markers=list(DYES), fluorescence=True)
        for i, file in enumerate(files):
            mine = cohort.file == i
            light = np.sinh(cohort.values[mine].astype(np.float64)) * LIGHT_COFACTOR * PER_UNIT
            events, table = _acquired(light, cohort.kind[mine], matrix, seed=seed + 10 * number + i)
            channels = ["Time", "FSC-A", "FSC-H", "SSC-A", *(f"{d}-A" for d in dyes), "AF-A"]
            text = {"$CYT": "Aurora", "$SPILLOVER": _keyword([f"{d}-A" for d in dyes], matrix)}
            sample = f"{file.name}_flow"
            write_fcs(raw / f"{sample}.fcs", events, channels, markers=["", "", "", "", *names, ""], metadata=text)
            table.to_csv(truth / f"{sample}.tsv", sep="\t", index=False)
            tissue = "product" if file.timepoint == "product" else "blood"
            day = days[file.timepoint]
            rows.append((sample, patient, day, file.timepoint, "CIML", tissue, "flow", f"raw/{sample}.fcs", batch))
            if tissue == "blood":
                counts.append((patient, day, round(80 * (1 + day % 5) + 20 * number, 1)))
    columns = "sample patient day timepoint arm tissue_or_product modality path batch".split()
    pd.DataFrame(rows, columns=columns).to_csv(folder / "samples.tsv", sep="\t", index=False)
    pd.DataFrame(counts, columns=["patient", "day", "nk_per_ul"]).to_csv(folder / "counts.tsv", sep="\t", index=False)
    panel = ["channel\tmarker\trole\tcluster"]
    for name, dye in zip(names, dyes, strict=True):
        role = "viability" if name == "Viability" else ROLES.get(name, "maturation")
        panel.append(f"{dye}-A\t{name}\t{role}\t{'no' if role in ('lineage', 'viability') else 'yes'}")
    panel += ["FSC-A\tFSC-A\tscatter\tno", "AF-A\tAF\tautofluorescence\tno"]
    (folder / "panel.tsv").write_text("\n".join(panel) + "\n", encoding="utf-8")
    config = folder / "flow.yaml"
    config.write_text(
        "cohort:\n  id: flow\n  title: Synthetic flow cytometry\n  samples: samples.tsv\n  counts: counts.tsv\n"
        "  panel: panel.tsv\n",
        encoding="utf-8",
    )
    return config


def _keyword(names: Sequence[str], matrix: np.ndarray) -> str:
    return ",".join([str(len(names)), *names, *(f"{v:g}" for v in matrix.ravel())])


def _acquired(
    light: np.ndarray, kinds: np.ndarray, matrix: np.ndarray, *, seed: int
) -> tuple[np.ndarray, pd.DataFrame]:
    """Events as an instrument stores them, in random order, and what each is."""
    random = np.random.default_rng(seed)
    n = len(light)
    glow = np.array([AUTOFLUORESCENCE.get(str(k), 60.0) for k in kinds]) * PER_UNIT
    light = light + glow[:, None] * random.lognormal(0, 0.3, (n, 1)) * 0.3
    dye = 300 * PER_UNIT * random.lognormal(0, 0.4, n) * (1 + glow / glow.min() / 4)
    size = np.where(np.isin(kinds, list(AUTOFLUORESCENCE)), 150_000.0, 90_000.0) * random.lognormal(0, 0.08, n)
    dead = random.random(n) < DEAD
    dye[dead] = 60_000 * random.lognormal(0, 0.4, dead.sum())
    light[dead] = 0.6 * light[dead]
    size[dead] *= 0.7
    height = size * random.normal(1, 0.02, n)
    area = size * 1.1
    k, m = int(DOUBLETS * n), int(DEBRIS * n)
    first, second = random.integers(0, n, k), random.integers(0, n, k)
    pairs = np.column_stack([light, dye])
    doublet = pairs[first] + pairs[second]
    fragment = random.normal(0, 90 * PER_UNIT, (m, pairs.shape[1]))
    stained = np.vstack([pairs, doublet, fragment])
    small = 12_000 * random.lognormal(0, 0.2, m)
    areas = np.concatenate([area, area[first] + area[second], 1.1 * small])
    heights = np.concatenate([height, 1.1 * np.maximum(height[first], height[second]), small])
    measured = stained @ matrix + random.normal(0, 25, stained.shape)
    side = 0.5 * areas * random.lognormal(0, 0.15, len(areas))
    glows = np.concatenate([glow, glow[first] + glow[second], np.full(m, 50.0)])
    order = random.permutation(len(areas))
    table = np.column_stack([areas, heights, side, measured, glows])[order]
    kind = np.concatenate([kinds.astype(str), np.full(k, "doublet"), np.full(m, "debris")])[order]
    gone = np.concatenate([dead, dead[first] | dead[second], np.zeros(m, bool)])[order]
    return np.column_stack([np.arange(len(table)) / 50, table]), pd.DataFrame({"kind": kind, "dead": gone})


if __name__ == "__main__":
    print(write_cohort(Path(sys.argv[1])))
