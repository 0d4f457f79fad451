"""How far calls and names by RNA agree with those by protein of the same cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.populations.definitions import Definitions
from cimlnk.stats.intervals import wilson

from .tables import NAME_AGREEMENT, NK_AGREEMENT

LEAST_TOLD = 10  # cells behind an accuracy
ALL = "all"


def related(definitions: Definitions, one: str, other: str) -> bool:
    """Whether one of two names refines the other."""
    known = {d.name for d in definitions.populations}
    return (one in known and other in definitions.ancestors(one)) or (
        other in known and one in definitions.ancestors(other)
    )


def nk_agreement(sample: NDArray[Any], rna: NDArray[np.bool_], lineage: NDArray[Any]) -> pd.DataFrame:
    """NK cells by RNA against NK cells by protein, per sample and over all (NK_AGREEMENT).

    Parameters
    ----------
    sample, rna, lineage
        Of every live single cell: its sample, whether it is an NK cell by RNA, its lineage by protein.

    Examples
    --------
    >>> t = nk_agreement(np.array(["a"] * 4), np.array([1, 1, 0, 0], bool), np.array(["NK", "T", "NK", "T"]))
    >>> t.loc[0, ["precision", "recall", "f1"]].tolist(), t.loc[0, "instead"]
    ([0.5, 0.5, 0.5], 'T')
    """
    sample, lineage = np.asarray(sample).astype(str), np.asarray(lineage).astype(str)
    rows = []
    for name in [*pd.unique(sample), ALL]:
        mine = np.ones(len(sample), bool) if name == ALL else sample == name
        r, p = rna[mine], lineage[mine] == NK
        both, n_r, n_p = int((r & p).sum()), int(r.sum()), int(p.sum())
        wrong = Counter(lineage[mine][r & ~p].tolist())
        precision, recall = _share(both, n_r), _share(both, n_p)
        reason = None
        if not n_p:
            reason = "no NK cell by protein"
        elif not n_r:
            reason = "no NK cell by RNA"
        rows.append(
            (
                name, int(mine.sum()), n_r, n_p, both, *precision, *recall,
                2 * both / (n_r + n_p) if n_r + n_p else np.nan,
                min(wrong, key=lambda w: (-wrong[w], w)) if wrong else None, reason,
            )
        )  # fmt: skip
    return NK_AGREEMENT.check(pd.DataFrame(rows, columns=list(NK_AGREEMENT.columns)))


def name_agreement(
    rna: Sequence[str] | NDArray[Any],
    protein: Sequence[str | None] | NDArray[Any],
    definitions: Definitions,
    *,
    limits: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Names by RNA against names by protein of the same cells, per name by RNA (NAME_AGREEMENT).

    Parameters
    ----------
    rna, protein
        Names of every NK cell by RNA; by protein None (no NK cell by protein) or ``unassigned`` where nothing is told.
    definitions
        By protein, whose parents say which names refine which.
    limits
        Name by protein -> which markers would have said more.

    Notes
    -----
    A panel with CD56 and CD16 alone tells CD56bright from CD56dim and no more: a name by RNA that refines CD56dim
    agrees with it (``n_general``). What agreement is worth is read against `chance`, which such a panel makes high.
    """
    rna, protein = np.asarray(rna, object), np.asarray(protein, object)
    told = np.array([p is not None and p == p and p != UNASSIGNED for p in protein], bool)
    shares = Counter(protein[told].tolist())
    rows: list[tuple[Any, ...]] = []
    same_total = general_total = 0
    expected_total = 0.0
    for name in sorted(set(rna.tolist())):
        mine = rna == name
        found = Counter(protein[mine & told].tolist())
        n, n_told = int(mine.sum()), int(sum(found.values()))
        if name == UNASSIGNED:
            none = (np.nan, np.nan, np.nan, np.nan)
            rows.append((name, n, n_told, 0, 0, 0, *none, _first(found), "cells without a name by RNA"))
            continue
        fits = {p for p in shares if p == name or related(definitions, name, str(p))}
        same = found.get(name, 0)
        general = sum(k for p, k in found.items() if p in fits) - same
        instead = _first({p: k for p, k in found.items() if p not in fits})
        chance = sum(shares[p] for p in fits) / sum(shares.values()) if shares else np.nan
        agreed = _accuracy(same + general, n_told)
        why = _why(n_told, found, limits or {})
        rows.append((name, n, n_told, same, general, n_told - same - general, *agreed, chance, instead, why))
        same_total, general_total = same_total + same, general_total + general
        expected_total += chance * n_told if n_told else 0.0
    named = rna != UNASSIGNED
    n_told = int((named & told).sum())
    total = (
        NK, int(named.sum()), n_told, same_total, general_total, n_told - same_total - general_total,
        *_accuracy(same_total + general_total, n_told), expected_total / n_told if n_told else np.nan, None,
        None if n_told >= LEAST_TOLD else f"{n_told} cells with a name by protein",
    )  # fmt: skip
    return NAME_AGREEMENT.check(pd.DataFrame([total, *rows], columns=list(NAME_AGREEMENT.columns)))


def _share(k: int, n: int) -> tuple[float, float, float]:
    if not n:
        return np.nan, np.nan, np.nan
    return k / n, *wilson(k / n, n)


def _accuracy(k: int, n: int) -> tuple[float, float, float]:
    return _share(k, n) if n >= LEAST_TOLD else (np.nan, np.nan, np.nan)


def _first(found: Mapping[Any, int]) -> str | None:
    return str(min(found, key=lambda p: (-found[p], str(p)))) if found else None


def _why(n_told: int, found: Mapping[Any, int], limits: Mapping[str, str]) -> str | None:
    if n_told < LEAST_TOLD:
        return f"{n_told} cells with a name by protein, fewer than {LEAST_TOLD}"
    first = _first(found)
    return limits.get(first) if first is not None else None
