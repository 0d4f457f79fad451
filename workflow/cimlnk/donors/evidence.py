"""What else says whose cells they are: an independent call of the same cells, sex genes, an HLA antibody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from cimlnk.common.errors import UserError
from cimlnk.stats.ranks import mid_ranks

from .calls import WORDS, need_columns, read_text_table
from .tables import STATUSES

XIST = ("XIST",)
Y_GENES = ("RPS4Y1", "DDX3Y", "EIF1AY", "KDM5D", "UTY", "USP9Y", "ZFY", "TXLNGY")
LEAST_UMIS = 20  # below it one stray molecule moves the verdict
PURE = 0.9  # share of the sex-linked molecules that one sex's genes must have


class Agreement(NamedTuple):
    """Whom an independent call gives a label to, with what share of its cells, and the next best."""

    person: str | None
    n_cells: int
    share: float
    runner_up: float
    reason: str | None


def read_second(path: str | Path, file: str, column: str | None, *, antibody: str | None) -> pd.DataFrame:
    """An independent call of the same cells: columns barcode, second (a person, or a status), antibody (float).

    The barcodes are in the first column. Words for no one person (Collision, NA, …) become ``doublet``, ``ambiguous``
    or ``unassigned``.

    Raises
    ------
    UserError
        If the file is no table, has no row or not the columns, or has a barcode twice.
    """
    table = read_text_table(path, file)
    need_columns(table, [column or "donor", *([antibody] if antibody else [])], file)
    if table.empty:
        raise UserError(file, "rows", "none", "a row for every cell of the independent call")
    barcode = table[table.columns[0]]
    if barcode.duplicated().any():
        raise UserError(file, "barcodes", barcode[barcode.duplicated()].iloc[0], "every barcode once")
    words = {word: status for status, several in WORDS.items() for word in several}
    second = table[column or "donor"].map(lambda v: words.get(v.lower(), v))
    found = pd.DataFrame({"barcode": barcode, "second": second})
    found["antibody"] = pd.to_numeric(table[antibody], errors="coerce") if antibody else np.nan
    if antibody and found["antibody"].isna().all():
        raise UserError(file, f"column {antibody}", table[antibody].iloc[0], "numbers: the level of the antibody")
    return found.astype({"second": object})


def by_second(
    labels: Sequence[str], label: pd.Series, second: pd.Series, *, min_cells: int, min_agreement: float
) -> dict[str, Agreement]:
    """Which person of an independent call each label is, one to one.

    Parameters
    ----------
    labels
        The labels to be named.
    label, second
        Of every singlet: its label, and what the independent call says (a person, a status, None without one).
    min_cells, min_agreement
        Fewest cells that both calls name, and least share of them that must be one person's (config `donors`).

    Returns
    -------
    dict
        Label -> :class:`Agreement`; `person` None with the reason where too few cells or too little agreement.
    """
    both = second.notna() & label.notna() & ~second.isin(STATUSES)
    names = sorted(set(second[both]))
    table = pd.crosstab(label[both], second[both]).reindex(index=list(labels), columns=names, fill_value=0)
    total = table.sum(axis=1)
    share = table.div(total.where(total > 0), axis=0).fillna(0.0)
    chosen: dict[str, str] = {}
    if names:
        rows, columns = linear_sum_assignment(-share.to_numpy())
        chosen = {labels[r]: names[c] for r, c in zip(rows, columns, strict=True)}
    found = {}
    for one in labels:
        n, person = int(total[one]), chosen.get(one)
        own = float(share.at[one, person]) if person is not None else 0.0
        rest = max((float(share.at[one, p]) for p in names if p != person), default=0.0)
        reason = None
        if n < min_cells:
            reason = f"the independent call names {n} of its cells, fewer than donors.min_cells = {min_cells}"
        elif own < min_agreement:
            reason = (
                f"the independent call gives {own:.0%} of its {n} cells to one person, less than {min_agreement:.0%}"
            )
        found[one] = Agreement(None if reason else person, n, own if n else np.nan, rest if n else np.nan, reason)
    return found


def sex_of(xist: float, y: float) -> str | None:
    """Sex of a group of cells by its molecules of XIST and of Y-linked genes; None where they are too few.

    Examples
    --------
    >>> sex_of(300, 4), sex_of(1, 80), sex_of(60, 50), sex_of(3, 2)
    ('female', 'male', 'mixed', None)
    """
    total = xist + y
    if total < LEAST_UMIS:
        return None
    if y / total >= PURE:
        return "male"
    return "female" if xist / total >= PURE else "mixed"


def by_trait(labels: Mapping[str, str | None], persons: Mapping[str, str | None]) -> dict[str, str]:
    """Name labels by a trait of which two persons have different values (sex; binding of an antibody).

    Nothing is said unless the patient's persons are two and differ. Two labels of one trait are both that person's; a
    label whose trait is not known (or mixed) gets no name.

    Examples
    --------
    >>> by_trait({"0": "male", "1": "female"}, {"P1": "female", "D1": "male"})
    {'0': 'D1', '1': 'P1'}
    >>> by_trait({"0": "male"}, {"P1": "male", "D1": "male"})
    {}
    """
    of = {value: person for person, value in persons.items() if value is not None}
    if len(persons) != 2 or len(of) != 2:
        return {}
    return {label: of[value] for label, value in labels.items() if value in of}


def antibody_traits(
    label: pd.Series, level: pd.Series, labels: Sequence[str], *, min_cells: int
) -> dict[str, str | None]:
    """Whether an antibody binds the cells of each of two labels: ``binds``/``no`` where the two are well apart.

    Well apart is an area under the ROC curve of at least 0.9; no threshold of the antibody is needed. None otherwise.
    """
    none: dict[str, str | None] = dict.fromkeys(labels)
    values = [level[(label == one) & level.notna()].to_numpy(float) for one in labels]
    if len(labels) != 2 or min(map(len, values)) < min_cells:
        return none
    a, b = values
    ranks = mid_ranks(np.concatenate([a, b]))
    area = (ranks[: len(a)].sum() - len(a) * (len(a) + 1) / 2) / (len(a) * len(b))
    if max(area, 1 - area) < PURE:
        return none
    return {labels[0]: "binds" if area > 0.5 else "no", labels[1]: "no" if area > 0.5 else "binds"}
