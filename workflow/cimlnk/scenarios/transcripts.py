"""Situation 12: one time point sequenced half as deep bears no other names, and moves no gene.

Fewer molecules tell less, so that a less specific name is no fault; another one is. Single cells change their names by
the draw of molecules alone: how often is what two libraries of the same cells at the same depth show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom

from cimlnk.common.home import HOME
from cimlnk.common.seeds import derive, rng
from cimlnk.common.vocabulary import UNASSIGNED
from cimlnk.dynamics.state.differential import state_tests
from cimlnk.graph import knn, leiden, weights
from cimlnk.populations.definitions import Definitions
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.depth import at_depth, common_depth
from cimlnk.populations.distances import score_distances
from cimlnk.populations.naming import name_clusters
from cimlnk.populations.neighbours import Lists
from cimlnk.populations.transcripts import Molecules, name_by_transcripts
from cimlnk.rna.components import components, standardise
from cimlnk.simulate.genes import gene_names, nk_rates
from cimlnk.simulate.latent import POPULATIONS, Setting, draw
from cimlnk.simulate.rna import DEPTH, DEPTH_SD, DISPERSION

from .checks import Check, Scenario, at_least, at_most
from .tables import WRONGLY

DEFINITIONS = HOME / "resources/signatures/nk.yaml"
TIMES = {"pre": -7, "D7": 7, "D28": 28}
KIR_SHARE = 0.5
TESTED = 150  # genes, evenly over those that are expressed
CLUSTERED, NEIGHBOURS, RESOLUTION = 600, 15, 1.0  # most variable genes that make the graph of the cells, as in a run
Asked = Callable[[NDArray[np.object_], NDArray[np.object_], Definitions], NDArray[np.bool_]]
MOVED = 0.10  # largest share of genes at p < .05: 5 % and what six patients' noise adds


class Drawn(NamedTuple):
    """Molecules of cells (cells × genes), what each cell is, and the expected molecules of those of day 7."""

    counts: NDArray[np.int64]
    cells: pd.DataFrame
    expected: NDArray[np.float64]

    @property
    def late(self) -> NDArray[np.bool_]:
        """Cells of day 7, the time point that is sequenced again or less."""
        return (self.cells["timepoint"] == "D7").to_numpy()

    def with_day_7(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """All molecules, those of day 7 replaced."""
        changed = self.counts.copy()
        changed[self.late] = counts
        return changed


def _counts(patients: int, cells: int, random: np.random.Generator) -> Drawn:
    """Molecules of cells of every population, alike at all time points, and what each cell is."""
    parts, rows, again = [], [], []
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
                expected = depth * rates / rates.sum(axis=1, keepdims=True) * noise
                parts.append(random.poisson(expected))
                if timepoint == "D7":
                    again.append(expected)
                rows.append(
                    pd.DataFrame({"patient": f"P{p + 1}", "timepoint": timepoint, "kind": [population] * cells})
                )
    return Drawn(np.concatenate(parts), pd.concat(rows, ignore_index=True), np.concatenate(again))


def _log(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    return values


def _names_of_clusters(counts: NDArray[np.int64], cells: pd.DataFrame, by: list[str]) -> NDArray[np.object_]:
    """Names of the clusters that the columns `by` make, one a cell."""
    definitions = load_definitions(DEFINITIONS, infused=True)
    cluster = cells.groupby(by, sort=True).ngroup().to_numpy()
    found = name_clusters(score_distances(_log(counts), gene_names(), cluster, definitions=definitions), definitions)
    return found["population"].reindex(cluster).to_numpy(dtype=object)


def _names_of_cells(counts: NDArray[np.int64], seed: int) -> NDArray[np.object_]:
    """Names of the cells as a run gives them: graph, clusters, own molecules held against the neighbours'."""
    values = _log(counts).astype(np.float32)
    excess = values.var(axis=0) / np.maximum(values.mean(axis=0), 0.05)
    genes = np.sort(np.argsort(-excess, kind="stable")[:CLUSTERED])
    scores = components(standardise(values[:, genes].copy()), None).scores
    lists = knn(scores, NEIGHBOURS, 1.0, seed=derive(seed, "neighbours"), threads=1)
    graph = weights(lists, ordered=True, threads=1)
    cluster = leiden(
        graph, RESOLUTION, seed=derive(seed, "clusters"), order=lists.order, ordered=True, threads=1
    ).labels
    definitions = load_definitions(DEFINITIONS, infused=True)
    molecules = Molecules(values, gene_names(), counts.sum(axis=1), scores=dict(definitions.scores))
    near = Lists(lists.indices, np.arange(len(counts)))
    return name_by_transcripts(molecules, cluster, definitions, lists=near)[0]


def no_more_specific(before: NDArray[np.object_], after: NDArray[np.object_], d: Definitions) -> NDArray[np.bool_]:
    """Whether the name `after` is the one `before`, or one that it refines whatever the cell is, or none at all."""
    under = d.refined()
    pairs = {(b, a): b == a or a == UNASSIGNED or b in under.get(str(a), ()) for b in set(before) for a in set(after)}
    return np.array([pairs[pair] for pair in zip(before, after, strict=True)], dtype=bool)


def another(before: NDArray[np.object_], after: NDArray[np.object_], d: Definitions) -> NDArray[np.bool_]:
    """Whether neither of the two names is the other, less specific: one of them is wrong."""
    return ~(no_more_specific(before, after, d) | no_more_specific(after, before, d))


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


class Libraries(NamedTuple):
    """Names of the cells of day 7 by four libraries of all cells, no two of which share a molecule of day 7 unless they
    are the same: two at full depth, two at half of it; the cells of other days are the same in all."""

    full: NDArray[np.object_]
    again: NDArray[np.object_]
    half: NDArray[np.object_]
    half_again: NDArray[np.object_]

    def renamed(self, ask: Asked) -> dict[str, float]:
        """Share of cells of which `ask` holds from full depth to half, between two of full and two of half depth."""
        d = load_definitions(DEFINITIONS, infused=True)
        pairs = {"to half": (self.full, self.half), "full": (self.full, self.again)}
        pairs["halves"] = (self.half, self.half_again)
        return {words: float(ask(before, after, d).mean()) for words, (before, after) in pairs.items()}


def libraries(drawn: Drawn, random: np.random.Generator, seed: int) -> tuple[Libraries, Libraries]:
    """Names of cells, and of clusters: the cells of one population of one patient."""
    again = random.poisson(drawn.expected)
    first = random.binomial(again, 0.5)
    counts = [drawn.counts, *(drawn.with_day_7(c) for c in (again, first, again - first))]
    by = ["kind", "timepoint", "patient"]
    first_of = ~drawn.cells[drawn.late].duplicated(by).to_numpy()
    return (
        Libraries(*(_names_of_cells(c, seed)[drawn.late] for c in counts)),
        Libraries(*(_names_of_clusters(c, drawn.cells, by)[drawn.late][first_of] for c in counts)),
    )


def as_two_halves(share: float, halves: float, n: int) -> float:
    """Largest share of `n` clusters that differs from that of two halves by chance alone.

    If both are alike, those of either that are renamed are split between them as by a coin.
    """
    both = round(n * (share + halves))
    return float(binom.ppf(1 - WRONGLY / 2, both, 0.5)) / n


def half_depth(seeds: int, small: bool) -> list[Check]:
    """Situation 12: half the depth on one day renames no more cells, and moves no more genes, than drawing does."""
    moved, named = [], []
    for seed in range(1, seeds + 1):
        random = rng(seed, "half depth")
        drawn = _counts(4 if small else 6, 12 if small else 30, random)
        shallow = drawn.with_day_7(random.binomial(drawn.counts[drawn.late], 0.5))
        moved.append(_moved(shallow, drawn.cells))
        named.append(libraries(drawn, random, seed))
    cells, clusters = (
        Libraries(*(np.concatenate(c) for c in zip(*parts, strict=True))) for parts in zip(*named, strict=True)
    )
    kept, other = cells.renamed(no_more_specific), cells.renamed(another)
    same = "the same name or a less specific one"
    checks = [
        at_least(f"cells of day 7 with {same} (bound: two halves)", kept["to half"], kept["halves"]),
        at_most("cells of day 7 with another name (bound: two halves)", other["to half"], other["halves"]),
    ]
    n = len(clusters.full)
    kept, other = clusters.renamed(no_more_specific), clusters.renamed(another)
    most_lost = as_two_halves(1 - kept["to half"], 1 - kept["halves"], n)
    most_other = as_two_halves(other["to half"], other["halves"], n)
    checks += [
        at_least(f"clusters of day 7 with {same} (bound: chance beside two halves)", kept["to half"], 1 - most_lost),
        at_most("clusters of day 7 with another name (bound: chance beside two halves)", other["to half"], most_other),
    ]
    asked = "genes at p < .05 between day 7, at half the depth, and before, worst seed"
    return [*checks, at_most(asked, max(moved), MOVED + 0.05 * small)]


SCENARIOS = (Scenario("12", "RNA at half depth on day 7", half_depth, together=True),)
