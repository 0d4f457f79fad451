"""Whether a cell with the genes of NK cells is a T cell after all: what only T cells transcribe is held against it.

CD56+ T cells, MAIT and activated cytotoxic T cells carry so many genes of NK cells that the marker model takes them for
these, since every one of those genes speaks against a T cell. The question left is one-sided: which of the two is it,
given the genes that only T cells transcribe? Their rate in T cells and in NK cells is known from the sample itself.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .genes import Against
from .lineage import LEAST_FOLD, NONE, PRIOR_CELLS, PRIOR_LOW, SILENT, STRAY, Lineages, likelihood_ratio

STRAY_TOGETHER = 0.1  # chance that an NK cell transcribes the genes taken together (CD3 chains of adaptive cells)
SURE = 0.9  # probability from which a cell shows what its lineage transcribes
PRIOR_HIGH = 5e-5  # share of such a gene in a T cell's counts, before any T cell was seen: they are faint
LEAST_SEEN = 20  # such cells tell the rate
PRIOR_SHARE = (1.0, 19.0)  # beta: before looking, a twentieth of the cells called NK
ROUNDS = 200
TOLERANCE = 1e-5


def contradict(
    counts: np.ndarray, depth: np.ndarray, genes: tuple[str, ...], *, fit: Lineages, nk: list[str], against: Against
) -> Lineages:
    """Move cells that transcribe what only another lineage does from NK to that lineage.

    Parameters
    ----------
    counts, depth, genes
        Cells x `genes`, raw; all counts of each cell; names of the columns.
    fit
        The marker model's answer.
    nk
        Lineages of NK cells.
    against
        Genes held against NK cells, and the lineages that show their rate. Genes not measured are ignored; without any,
        `fit` is returned as it is.

    Notes
    -----
    Per gene the likelihood ratio of both rates, bounded like the marker model's, so that no single gene decides; genes
    taken `together` are summed and bounded lower. The rate among NK cells and the share of other cells among them are
    fitted by expectation-maximisation; the rate of the other lineage is not, or the two would change places in samples
    that are nearly all NK cells.
    """
    column = {g: i for i, g in enumerate(genes)}
    single = [[column[g]] for g in against.genes if g in column]
    groups = [[column[g] for g in group if g in column] for group in against.together]
    groups = [group for group in groups if group]
    if not single:  # what NK cells may transcribe as well does not decide alone
        return fit
    found = np.column_stack([counts[:, columns].sum(axis=1) for columns in (*single, *groups)])
    stray = np.array([STRAY] * len(single) + [STRAY_TOGETHER] * len(groups))
    exposure = PRIOR_CELLS * np.median(depth)
    called = fit.of(nk)
    sure = fit.of(against.lineages) > SURE
    rest = 1 - called - fit.of([*against.lineages, NONE]) > SURE  # other cells show what comes from ambient RNA
    stained = (found[rest].sum(axis=0) + exposure * PRIOR_LOW) / (depth[rest].sum() + exposure)
    share = PRIOR_SHARE[0] / sum(PRIOR_SHARE)
    seen = (found[sure].sum(axis=0) + exposure * PRIOR_HIGH) / (depth[sure].sum() + exposure)
    # Where T cells were seen, NK cells have at most a quarter of their rate: were all cells called NK others, they
    # would set the rate they are compared with. Genes taken together, which NK cells may transcribe, are not capped.
    capped = np.array([True] * len(single) + [False] * len(groups)) & (sure.sum() >= LEAST_SEEN)
    low = stained
    for _ in range(ROUNDS):
        low = np.where(capped, np.minimum(low, seen / LEAST_FOLD), low)
        high = np.maximum(seen, LEAST_FOLD * low)
        ratio = likelihood_ratio(found, depth, high, low=low)
        odds = (np.log((1 - SILENT) * ratio + SILENT) - np.log(stray * ratio + 1 - stray)).sum(axis=1)
        foreign = 1 / (1 + np.exp(-odds) * (1 - share) / share)
        own = called * (1 - foreign)
        low = ((own[:, None] * found).sum(axis=0) + exposure * stained) / ((own * depth).sum() + exposure)
        before, share = share, ((called * foreign).sum() + PRIOR_SHARE[0]) / (called.sum() + sum(PRIOR_SHARE))
        if abs(share - before) < TOLERANCE:
            break
    probability = fit.probability.copy()
    to = fit.names.index(against.lineages[0])
    for name in nk:
        i = fit.names.index(name)
        probability[:, to] += probability[:, i] * foreign
        probability[:, i] *= 1 - foreign
    return replace(fit, probability=probability)
