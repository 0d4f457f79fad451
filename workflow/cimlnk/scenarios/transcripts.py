"""Situation 12: one time point sequenced half as deep bears the same names, and moves no gene."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.home import HOME
from cimlnk.common.seeds import rng
from cimlnk.dynamics.state.differential import state_tests
from cimlnk.populations.definitions import load_definitions
from cimlnk.populations.depth import at_depth, common_depth
from cimlnk.populations.distances import score_distances
from cimlnk.populations.naming import name_clusters
from cimlnk.simulate.genes import gene_names, nk_rates
from cimlnk.simulate.latent import POPULATIONS, Setting, draw
from cimlnk.simulate.rna import DEPTH, DEPTH_SD, DISPERSION

from .checks import Check, Scenario, at_least, at_most

DEFINITIONS = HOME / "resources/signatures/nk.yaml"
TIMES = {"pre": -7, "D7": 7, "D28": 28}
KIR_SHARE = 0.5
TESTED = 150  # genes, evenly over those that are expressed
MOVED = 0.10  # largest share of genes at p < .05: 5 % and what six patients' noise adds


def _counts(patients: int, cells: int, random: np.random.Generator) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """Molecules of cells of every population, alike at all time points, and what each cell is."""
    parts, rows = [], []
    for p in range(patients):
        factor = np.exp(random.normal(0, 0.12, len(gene_names())))
        for timepoint in TIMES:
            visit = factor * np.exp(random.normal(0, 0.1, len(gene_names())))
            for population in POPULATIONS:
                # the same setting everywhere: cells that differ between days would have every right to other names
                lived = Setting("D28", True, True, np.ones(4))
                rates = nk_rates(draw(random, population, cells, setting=lived), random.random(cells) < KIR_SHARE)
                rates = rates * visit
                depth = DEPTH * np.exp(DEPTH_SD * random.standard_normal((cells, 1)))
                noise = random.gamma(1 / DISPERSION, DISPERSION, rates.shape)
                parts.append(random.poisson(depth * rates / rates.sum(axis=1, keepdims=True) * noise))
                rows.append(
                    pd.DataFrame({"patient": f"P{p + 1}", "timepoint": timepoint, "kind": [population] * cells})
                )
    return np.concatenate(parts), pd.concat(rows, ignore_index=True)


def _names(counts: NDArray[np.int64], cells: pd.DataFrame, by: list[str]) -> pd.Series:
    """Names of the clusters that the columns `by` make, one a cell."""
    values = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    definitions = load_definitions(DEFINITIONS, infused=True)
    cluster = cells.groupby(by, sort=True).ngroup().to_numpy()
    found = name_clusters(score_distances(values, gene_names(), cluster, definitions=definitions), definitions)
    return found["population"].reindex(cluster).reset_index(drop=True)


def _moved(counts: NDArray[np.int64], cells: pd.DataFrame) -> float:
    """Share of genes that change at p < .05 between day 7 and before, genes brought to one depth as a run does."""
    expressed = np.flatnonzero(counts.mean(axis=0) > 0.2)
    genes = expressed[np.linspace(0, len(expressed) - 1, min(TESTED, len(expressed))).astype(int)]
    total = counts.sum(axis=1).astype(float)
    sample = cells["patient"] + "_" + cells["timepoint"]
    depth = common_depth([total[(sample == s).to_numpy()] for s in sorted(set(sample))])
    deep = total >= depth
    values = at_depth(counts[deep][:, genes].astype(float), total[deep], depth)[0]
    mean = pd.DataFrame(values).groupby(sample[deep].to_numpy()).mean()
    long = mean.rename_axis("sample").reset_index().melt("sample", var_name="feature", value_name="mean")
    long = long.assign(population="NK", feature=long["feature"].astype(str), n_cells=1000, median=np.nan)
    sheet = pd.DataFrame({"sample": mean.index, "patient": mean.index.str.split("_").str[0]})
    sheet["timepoint"] = sheet["sample"].str.split("_").str[1]
    sheet = sheet.assign(day=sheet["timepoint"].map(TIMES), arm="CIML", tissue_or_product="blood", modality="rna")
    table = state_tests(long, sheet, modality="rna", baselines=["pre"], measures=["mean"])
    p = table.loc[(table["method"] == "paired_moderated_t") & (table["contrast"] == "CIML: D7 vs pre"), "p"]
    return float((p < 0.05).mean())


def half_depth(seed: int, small: bool) -> list[Check]:
    random = rng(seed, "half depth")
    counts, cells = _counts(4 if small else 6, 12 if small else 30, random)
    shallow = counts.copy()
    early = (cells["timepoint"] == "D7").to_numpy()
    shallow[early] = random.binomial(counts[early], 0.5)
    same = {
        words: float((_names(counts, cells, by) == _names(shallow, cells, by)).mean())
        for words, by in (("", ["kind"]), (", time points clustered apart", ["kind", "timepoint"]))
    }
    moved = _moved(shallow, cells)
    return [
        *(at_least(f"cells whose cluster has the same name{words}", share, 1.0) for words, share in same.items()),
        at_most("genes at p < .05 between day 7, at half the depth, and before", moved, MOVED + 0.05 * small),
    ]


SCENARIOS = (Scenario("12", "RNA at half depth on day 7", half_depth),)
