"""How much a population expresses a programme, against random sets of genes that NK cells express as much.

A score over the samples of one population (:mod:`.signatures`) tells change, not level. Here the genes of a set are
compared, in one pseudobulk, with sets of as many random genes, each of which NK cells of the cohort express about as
much as the gene it stands for (as the control genes of Tirosh et al. 2016, doi:10.1126/science.aad0501). So a set is
high where a population has more of it than NK cells in general have of such genes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import rng

from .signatures import GeneSet

BIN = 40  # genes of about the same expression, from which a random one is drawn
SETS = 499

Floats = NDArray[np.float64]


class Levels(NamedTuple):
    """Sets × samples.

    Attributes
    ----------
    level, z
        Mean log2 difference from the random sets, and the same in their standard deviations.
    p, p_floor
        Share of random sets at least as far from their middle (two-sided), and the least there can be.
    """

    level: pd.DataFrame
    z: pd.DataFrame
    p: pd.DataFrame
    p_floor: float


def matched_levels(
    logs: pd.DataFrame,
    usual: pd.Series,
    sets: Iterable[GeneSet],
    *,
    min_genes: int = 5,
    n_sets: int = SETS,
    seed: int = 0,
) -> Levels:
    """Levels of gene sets in pseudobulks, against random sets matched by expression.

    Parameters
    ----------
    logs
        Genes × samples, log2 counts per million (:func:`.signatures.log_cpm`) of one population.
    usual
        Mean of the same over all NK pseudobulks of the cohort, by gene: random genes are of like `usual`. Genes that
        are missing here or in `logs` do not count.
    min_genes
        Sets with fewer measured genes are left out.

    Notes
    -----
    Genes of a programme vary together, random genes do not: the null says how unusual the level is for genes of such
    expression, not how sure it is over patients, which the tests of scores over patients say.
    """
    genes = [g for g in usual.sort_values(kind="stable").index if g in logs.index]
    values = logs.loc[genes].to_numpy(np.float64)
    place = {g: i for i, g in enumerate(genes)}
    rows: dict[str, dict[str, Floats]] = {"level": {}, "z": {}, "p": {}}
    for item in sets:
        up, down = (np.array([place[g] for g in side if g in place], int) for side in (item.up, item.down))
        if len(up) + len(down) < min_genes:
            continue
        random = rng(seed, "random gene sets", item.name)
        taken = np.zeros(len(genes), bool)
        taken[np.concatenate([up, down])] = True
        observed, null = np.zeros(values.shape[1]), np.zeros((n_sets, values.shape[1]))
        for side, sign in ((up, 1.0), (down, -1.0)):
            if len(side):
                observed += sign * values[side].mean(axis=0)
                null += sign * values[_like(random, side, taken, n_sets=n_sets)].mean(axis=1)
        gap = null - null.mean(axis=0)
        mine = observed - null.mean(axis=0)
        spread = null.std(axis=0, ddof=1)
        further = np.minimum((gap >= mine - 1e-12).sum(axis=0), (gap <= mine + 1e-12).sum(axis=0))
        rows["level"][item.name] = mine
        rows["z"][item.name] = np.divide(mine, spread, out=np.full(len(mine), np.nan), where=spread > 0)
        rows["p"][item.name] = np.minimum(2 * (further + 1) / (n_sets + 1), 1.0)
    found = {k: pd.DataFrame(v, index=logs.columns).T for k, v in rows.items()}
    return Levels(found["level"], found["z"], found["p"], 2 / (n_sets + 1))


def _like(
    random: np.random.Generator, side: NDArray[np.int_], taken: NDArray[np.bool_], *, n_sets: int
) -> NDArray[np.int_]:
    """For each gene of a set `n_sets` genes of like expression that are in no set (n_sets × genes)."""
    free = np.flatnonzero(~taken)
    drawn = np.empty((n_sets, len(side)), int)
    for column, gene in enumerate(side):
        at = int(np.searchsorted(free, gene))
        low = max(0, min(at - BIN // 2, len(free) - BIN))
        drawn[:, column] = random.choice(free[low : low + BIN], size=n_sets)
    return drawn
