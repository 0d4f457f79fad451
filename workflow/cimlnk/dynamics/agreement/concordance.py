"""Do two modalities tell the same? A shuffled baseline, and a verdict on matched pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from cimlnk.common.seeds import rng
from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.stats.ranks import mid_ranks

from .pairs import DAY
from .tables import AGREEMENT

Floats = NDArray[np.float64]
ALL = "all"


def lin(x: Floats, y: Floats) -> float:
    """Lin's concordance correlation (1989, Biometrics 45:255): 1 only if ``x == y``, not merely correlated."""
    if len(x) < 2:
        return float("nan")
    spread = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    return float(2 * ((x - x.mean()) * (y - y.mean())).mean() / spread) if spread > 0 else float("nan")


def spearman(x: Floats, y: Floats) -> float:
    """Spearman's rank correlation; NaN where one side does not vary."""
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(mid_ranks(x), mid_ranks(y))[0, 1])


def agreement(
    pairs: pd.DataFrame,
    *,
    populations: Mapping[str, list[str]] | None = None,
    min_pairs: int = 4,
    min_concordance: float = 0.5,
    shuffles: int = 999,
    seed: int = 0,
    samples: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Agreement of every subset and measure with a verdict.

    ``reliable`` asks for three things: at least `min_pairs` matched pairs; a coefficient (concordance for fractions
    and folds, rank correlation for protein and RNA) of at least `min_concordance`; and more than 95 % of shuffles
    reach. A shuffle gives every patient-day the other modality's sample of another patient of the same arm at the same
    time point (protein and RNA: the subsets of a patient-day are exchanged), so agreement that would come out for
    anybody does not count, and neither does one that consists in the time course alone.

    Parameters
    ----------
    pairs
        AGREEMENT_PAIRS of one pair of modalities.
    populations
        Modality -> named subsets it has; one that only one modality has gets a row that says so.
    samples
        SAMPLES, for the arm and time point of a patient-day; None: patients of the same day are exchanged.

    Returns
    -------
    DataFrame
        AGREEMENT: per measure and subset, and ``all`` subsets together.
    """
    options = {"min_pairs": min_pairs, "min_concordance": min_concordance, "shuffles": shuffles, "seed": seed}
    compared = pairs[["one", "other"]].drop_duplicates()
    if len(compared) > 1:
        raise ValueError(f"pairs of {len(compared)} comparisons: one pair of modalities at a time")
    pairs = _visits(pairs, samples)
    rows = []
    for measure in ("fraction", "fraction_whole", "log2_fold"):
        own = pairs[pairs["measure"] == measure]
        for population, group in own.groupby("population", sort=True):
            rows.append(_judge(group, measure, str(population), protein=None, gene=None, options=options))
        if measure == "fraction_whole":  # subsets within each other do not add up
            continue
        if len(own):
            rows.append(_judge(own, measure, ALL, protein=None, gene=None, options=options))
        rows += [_absent(measure, name, reason) for name, reason in _one_sided(populations, set(own["population"]))]
    proteins = pairs[pairs["measure"] == "protein_rna"]
    for (protein, gene), group in proteins.groupby(["feature_one", "feature_other"], sort=True):
        rows.append(_judge(group, "protein_rna", ALL, protein=str(protein), gene=str(gene), options=options))
    table = pd.DataFrame(rows, columns=list(AGREEMENT.columns))
    names = compared.iloc[0].to_dict() if len(compared) else _names(populations)
    return AGREEMENT.check(table.assign(**names))


def _names(populations: Mapping[str, list[str]] | None) -> dict[str, str]:
    """The two modalities where no pair says which they are."""
    one, other = (*(populations or {}), "cytof", "rna")[:2]
    return {"one": one, "other": other}


def _visits(pairs: pd.DataFrame, samples: pd.DataFrame | None) -> pd.DataFrame:
    """`pairs` with a column ``visit``: arm, time point and tissue, within which patients are exchanged."""
    plain = pairs["day"].astype(str) + "\t" + pairs["tissue_or_product"].astype(str)
    if samples is None:
        return pairs.assign(visit=plain)
    known = samples.drop_duplicates(DAY).set_index(DAY)
    label = known["arm"].astype(str) + "\t" + known["timepoint"].astype(str)
    keys = pd.MultiIndex.from_frame(pairs[DAY])
    found = pd.Series(label.reindex(keys).to_numpy(), index=pairs.index, dtype=object)
    return pairs.assign(visit=(found + "\t" + pairs["tissue_or_product"].astype(str)).fillna(plain))


def _one_sided(populations: Mapping[str, list[str]] | None, seen: set[str]) -> list[tuple[str, str]]:
    if populations is None:
        return []
    has = {m: set(names) - {NK, UNASSIGNED} for m, names in populations.items()}
    found = []
    for name in sorted(set().union(*has.values()) - seen):
        without = [m for m in sorted(has) if name not in has[m]]
        found.append((name, f"not named in {without[0]}" if without else "no patient-day measured in both modalities"))
    return found


def _absent(measure: str, population: str, reason: str) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(AGREEMENT.columns, np.nan)
    row.update(measure=measure, population=population, feature_one=None, feature_other=None, n_pairs=0, n_patients=0)
    row.update(verdict="not compared", reason=reason)
    return row


def _judge(
    group: pd.DataFrame,
    measure: str,
    population: str,
    *,
    protein: str | None,
    gene: str | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    row = _absent(measure, population, "")
    x, y = group["value_one"].to_numpy(float), group["value_other"].to_numpy(float)
    coefficient = spearman if measure == "protein_rna" else lin
    observed = coefficient(x, y)
    row.update(feature_one=protein, feature_other=gene, n_pairs=len(x), n_patients=group["patient"].nunique())
    row["verdict"] = "unreliable"
    row["correlation"] = spearman(x, y)
    if measure != "protein_rna" and len(x) >= 2:
        gap = x - y
        half = 1.96 * gap.std(ddof=1)  # limits of agreement, Bland & Altman 1986 (Lancet 327:307)
        row.update(concordance=observed, bias=gap.mean(), limit_low=gap.mean() - half, limit_high=gap.mean() + half)
    if len(x) < options["min_pairs"]:
        row["reason"] = f"{len(x)} matched pairs, {options['min_pairs']} are needed"
        return row
    if not np.isfinite(observed):
        row["reason"] = "one of the modalities does not vary"
        return row
    patterns = _patterns(group, measure)
    if patterns < 20:  # 1 in 20 is the level of the verdict
        row["reason"] = f"{patterns:.0f} ways to exchange patients at the same time point, 20 are needed"
        return row
    pair = (str(group["one"].iloc[0]), str(group["other"].iloc[0]))
    stream = "agreement" if pair == ("cytof", "rna") else f"agreement {pair[0]} {pair[1]}"
    name = f"{stream}/{measure}/{population}/{protein}"
    null = _null(x, y, np.array(_shuffles(group, measure, options, name=name)), ranked=measure == "protein_rna")
    null = null[np.isfinite(null)]
    slack = 1e-12
    p = (1 + int((null >= observed - slack).sum())) / (len(null) + 1)
    floor = max(1 / (len(null) + 1), 1 / patterns)
    high = float(np.quantile(null, 0.95)) if len(null) else np.nan
    row.update(shuffled_median=float(np.median(null)), shuffled_high=high, p=max(p, floor), p_floor=floor)
    if observed < options["min_concordance"]:
        row["reason"] = f"coefficient {observed:.2f} is below {options['min_concordance']:g}"
    elif observed <= high:
        row["reason"] = f"coefficient {observed:.2f} is no better than shuffled samples (95 %: {high:.2f})"
    else:
        row.update(verdict="reliable", reason=None)
    return row


def _null(x: Floats, y: Floats, orders: NDArray[np.int64], *, ranked: bool) -> Floats:
    """The coefficient of `x` with `y` in every order (orders × pairs), as :func:`lin` or :func:`spearman` give it."""
    if ranked:  # these orders are permutations: ranks move with their values
        x, y = mid_ranks(x), mid_ranks(y)
    moved = y[orders]
    dx, dy = x - x.mean(), moved - moved.mean(axis=1, keepdims=True)
    both = dy @ dx / len(x)
    if ranked:
        spread = np.sqrt((dx**2).mean() * (dy**2).mean(axis=1))
    else:
        spread = (x.var() + moved.var(axis=1) + (x.mean() - moved.mean(axis=1)) ** 2) / 2
    return np.divide(both, spread, out=np.full(len(orders), np.nan), where=spread > 0)


def _patterns(group: pd.DataFrame, measure: str) -> float:
    """How many different shuffles there are."""
    sizes = group.groupby(DAY).size().to_numpy()
    days = group.drop_duplicates(DAY).groupby("visit").size().to_numpy()
    exchanged = sizes if measure == "protein_rna" else days
    return float(np.exp(min(special.gammaln(exchanged + 1).sum(), 700.0)))


def _shuffles(group: pd.DataFrame, measure: str, options: dict[str, Any], *, name: str) -> list[NDArray[np.int64]]:
    """Row orders: patients of an arm and time point change places (subset by subset kept), or subsets within a
    patient-day."""
    generator = rng(options["seed"], name)
    table = group.reset_index(drop=True)
    days = table.groupby(DAY, sort=True).ngroup().to_numpy()
    orders = []
    if measure == "protein_rna":
        members = [np.flatnonzero(days == d) for d in range(days.max() + 1)]
        for _ in range(options["shuffles"]):
            order = np.arange(len(table))
            for m in members:
                order[m] = generator.permutation(m)
            orders.append(order)
        return orders
    subset = pd.factorize(table["population"])[0]
    # row of every day and subset; of several rows the last, of none -1
    place = np.full((days.max() + 1, subset.max() + 1), -1)
    place[days, subset] = np.arange(len(table))
    visit = table.assign(code=days).drop_duplicates("code").sort_values("code")["visit"].to_numpy()
    same = [np.flatnonzero(visit == v) for v in sorted(set(visit))]
    for _ in range(options["shuffles"]):
        to = np.arange(days.max() + 1)
        for m in same:
            to[m] = generator.permutation(m)
        # a subset without a value on the other day keeps its own: only subsets new to one day are concerned
        found = place[to[days], subset]
        orders.append(np.where(found < 0, np.arange(len(table)), found))
    return orders
