"""Which labels of a patient's files are one person, by genotype: never by the number of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from .genotypes import Compared, Genotypes, compare
from .tables import COMPARISONS

Node = tuple[str, str]  # sample and label; of the references: "" and the name


@dataclass
class Group:
    """Labels that are one person by genotype.

    Attributes
    ----------
    nodes
        (sample, label) of the labels; ``("", name)`` of a reference.
    conflict
        Why they cannot be one person after all: they were linked along different ways.
    """

    nodes: list[Node]
    conflict: str | None = None

    @property
    def reference(self) -> str | None:
        return next((label for sample, label in self.nodes if sample == ""), None)


@dataclass
class Linked:
    """What the genotypes of a patient's files say.

    Attributes
    ----------
    groups
        Every label that has a genotype in exactly one group; a person seen in one file is a group of one.
    undecided
        Label -> why its genotype is uninformative.
    best, runner_up
        Label -> (sites, concordance) with its own group in the other files, and the highest concordance outside it.
    comparisons
        COMPARISONS.
    """

    groups: list[Group] = field(default_factory=list)
    undecided: dict[Node, str] = field(default_factory=dict)
    best: dict[Node, tuple[int, float]] = field(default_factory=dict)
    runner_up: dict[Node, float] = field(default_factory=dict)
    comparisons: pd.DataFrame = field(default_factory=COMPARISONS.empty)


def same_person(
    compared: Compared,
    twins: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    min_sites: int,
    min_concordance: float,
    min_margin: float,
) -> np.ndarray:
    """Which columns of two files are one person: mutual best, and better than the next by a margin.

    Parameters
    ----------
    compared
        From :func:`.genotypes.compare`.
    twins
        For each of the two files, which of its columns are one person (square, bool): they are no rivals.
    min_sites, min_concordance, min_margin
        As in the config section `donors`.

    Returns
    -------
    ndarray of bool
        first.names × second.names; without twins at most one True in each row and column.
    """
    score = np.where(compared.n_sites >= min_sites, compared.concordance, -np.inf)
    rows, columns = twins or (np.eye(score.shape[0], dtype=bool), np.eye(score.shape[1], dtype=bool))
    same = np.zeros(score.shape, dtype=bool)
    for i, j in np.argwhere(score >= min_concordance):
        rivals = np.concatenate([score[i, ~columns[j]], score[~rows[i], j]])
        same[i, j] = score[i, j] - max(rivals.max(initial=-np.inf), 0.0) >= min_margin
    return same


def link(files: Mapping[str, Genotypes], references: Genotypes | None, settings: Mapping[str, Any]) -> Linked:
    """Group the labels of a patient's files by genotype.

    Two labels of one file whose genotypes agree as one person's do are one person: a program that is told to find two
    persons finds two. Of two files, a label goes with the label it agrees with best if that holds both ways and no
    other comes near (`min_margin`). Labels that were compared and agree with nobody are persons of their own; labels
    that could not be compared stay undecided.

    Parameters
    ----------
    files
        Sample -> genotypes of its labels (its VCF), in the order of the days.
    references
        Genotypes of known persons, or None.
    settings
        Config `donors`: min_depth, min_sites, min_concordance, min_margin.
    """
    bounds = {k: settings[k] for k in ("min_sites", "min_concordance", "min_margin")}
    sources = dict(files) | ({} if references is None else {"": references})
    nodes = [(s, label) for s, g in sources.items() for label in g.names]
    parent = {node: node for node in nodes}

    def root(node: Node) -> Node:
        while parent[node] != node:
            node = parent[node]
        return node

    rows: list[dict[str, Any]] = []
    scored: dict[Node, list[tuple[Node, int, float]]] = {node: [] for node in nodes}
    vague: dict[Node, str] = {}
    depth = int(settings["min_depth"])
    within = {s: compare(g, g, depth) for s, g in sources.items()}
    one = {s: np.eye(len(g.names), dtype=bool) | _within(within[s], bounds) & (s != "") for s, g in sources.items()}
    twins = {frozenset(((s, g.names[i]), (s, g.names[j]))) for s, g in sources.items() for i, j in np.argwhere(one[s])}
    order = list(sources)
    for a, first in enumerate(order):
        for second in order[a:]:
            if first == second == "":
                continue
            compared = within[first] if first == second else compare(sources[first], sources[second], depth)
            same = one[first] if first == second else same_person(compared, (one[first], one[second]), **bounds)
            for i, j in np.ndindex(same.shape):
                if first == second and i >= j:
                    continue
                x, y = (first, sources[first].names[i]), (second, sources[second].names[j])
                n, share = int(compared.n_sites[i, j]), float(compared.concordance[i, j])
                rows.append(
                    _row(
                        x,
                        y,
                        n,
                        share=share,
                        opposite=float(compared.opposite[i, j]),
                        same=bool(same[i, j]),
                        bounds=bounds,
                    )
                )
                if same[i, j]:
                    parent[root(y)] = root(x)
                if first != second:
                    scored[x].append((y, n, share))
                    scored[y].append((x, n, share))
                    if not same[i, j] and n >= bounds["min_sites"] and share >= bounds["min_concordance"]:
                        text = f"its genotype fits more than one person ({share:.2f} of {n:,} sites)"
                        vague[x] = vague[y] = text
    result = Linked(comparisons=COMPARISONS.check(pd.DataFrame(rows)) if rows else COMPARISONS.empty())
    members: dict[Node, list[Node]] = {}
    for node in nodes:
        members.setdefault(root(node), []).append(node)
    for group in members.values():
        _settle(group, scored, vague, twins=twins, bounds=bounds, result=result)
    return result


def _settle(
    group: list[Node],
    scored: Mapping[Node, list[tuple[Node, int, float]]],
    vague: Mapping[Node, str],
    *,
    twins: set[frozenset[Node]],
    bounds: Mapping[str, Any],
    result: Linked,
) -> None:
    """Put a group of linked labels into `result`, or its single label among the undecided."""
    inside = set(group)
    for node in group:
        own = [(n, share) for other, n, share in scored[node] if other in inside and n >= bounds["min_sites"]]
        rest = [share for other, n, share in scored[node] if other not in inside and n >= bounds["min_sites"]]
        if own:
            result.best[node] = max(own, key=lambda pair: pair[1])
        if rest:
            result.runner_up[node] = max(rest)
    if all(sample == "" for sample, _ in group):
        return
    if len(group) == 1:
        node = group[0]
        compared = [n for _, n, _ in scored[node] if n >= bounds["min_sites"]]
        if node in vague:
            result.undecided[node] = vague[node]
        elif not scored[node]:
            result.undecided[node] = "no other file of the patient has genotypes, and no reference genotypes are given"
        elif not compared:
            most = max(n for _, n, _ in scored[node])
            result.undecided[node] = (
                f"at most {most:,} sites shared with another file, fewer than donors.min_sites = {bounds['min_sites']} "
                "(same genome build? reads enough?)"
            )
        elif len(compared) < len(scored[node]):
            result.undecided[node] = "it agrees with nobody, but not all others have enough shared sites to be compared"
        else:
            result.groups.append(Group(group))
        return
    made = Group(sorted(group, key=lambda n: (n[0] != "", n)))
    references = [label for sample, label in group if sample == ""]
    if len(references) > 1:
        made.conflict = f"its genotype was linked to {' and to '.join(references)}"
    for i, x in enumerate(group):
        for y in group[i + 1 :]:
            if x[0] == y[0] and x[0] != "" and frozenset((x, y)) not in twins:
                made.conflict = f"labels {x[1]} and {y[1]} of {x[0]} were linked to one person along different ways"
    result.groups.append(made)


def _within(compared: Compared, bounds: Mapping[str, Any]) -> np.ndarray:
    """Labels of one file that are one person: no margin, as everybody else may be that person too."""
    return (compared.n_sites >= bounds["min_sites"]) & (compared.concordance >= bounds["min_concordance"])


def _row(
    x: Node, y: Node, n: int, *, share: float, opposite: float, same: bool, bounds: Mapping[str, Any]
) -> dict[str, Any]:
    if x[0] == "":
        x, y = y, x
    few = f"{n:,} shared sites, fewer than donors.min_sites = {bounds['min_sites']}"
    return {
        "sample": x[0], "label": x[1], "other_sample": y[0] or None, "other": y[1], "n_sites": n, "concordance": share,
        "opposite": opposite, "same": same, "reason": few if n < bounds["min_sites"] else None,
    }  # fmt: skip


def shared_between(
    files: Mapping[str, Genotypes], patient: Mapping[str, str], settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Labels of different patients that are one person by genotype: a shared donor, or exchanged samples.

    Returns
    -------
    DataFrame
        COMPARISONS, the rows with `same` only.
    """
    bounds = {k: settings[k] for k in ("min_sites", "min_concordance", "min_margin")}
    rows = []
    names: Sequence[str] = list(files)
    for a, first in enumerate(names):
        for second in names[a + 1 :]:
            if patient[first] == patient[second]:
                continue
            compared = compare(files[first], files[second], int(settings["min_depth"]))
            for i, j in np.argwhere(same_person(compared, **bounds)):
                x, y = (first, files[first].names[i]), (second, files[second].names[j])
                n, share = int(compared.n_sites[i, j]), float(compared.concordance[i, j])
                rows.append(
                    _row(x, y, n, share=share, opposite=float(compared.opposite[i, j]), same=True, bounds=bounds)
                )
    return COMPARISONS.check(pd.DataFrame(rows)) if rows else COMPARISONS.empty()
