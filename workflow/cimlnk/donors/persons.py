"""Who every label of a patient's files is: all evidence side by side, the strongest believed, the rest checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .evidence import antibody_traits, by_second, by_trait, sex_of
from .genotypes import Genotypes
from .matching import Linked, Node, link
from .tables import MATCHES, SINGLET

NUMBERED = re.compile(r"^(donor|cluster|genotype|clust|sample)?[ _-]?\d+$", re.IGNORECASE)
MAJORITY = 0.9  # of a product's cells, of blood before infusion: whose it is
ORDER = ("named", "genotype", "second call", "sex genes", "antibody")
NO_EVIDENCE = (
    "no genotypes, no reference names and no independent call: the number of a cluster is drawn again for every file, "
    "so that days are not joined"
)


def is_number(label: str, tool: str, labels: str | None) -> bool:
    """Whether a label holds in its file only.

    Examples
    --------
    >>> is_number("0", "souporcell", None), is_number("donor2", "vireo", None), is_number("1079", "demuxlet", None)
    (True, True, False)
    """
    if labels is not None:
        return labels == "numbers"
    return tool == "souporcell" or (tool != "demuxlet" and NUMBERED.match(label) is not None)


def name_labels(
    calls: Mapping[str, pd.DataFrame],
    rows: Mapping[str, Mapping[str, Any]],
    facts: pd.DataFrame,
    *,
    persons: list[Mapping[str, Any]],
    genotypes: Mapping[str, Genotypes],
    references: Genotypes | None,
    sexes: Mapping[Node, tuple[float, float]],
    settings: Mapping[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Who every label of one patient's files is.

    Parameters
    ----------
    calls
        Sample -> barcode, status, label, probability, second, antibody.
    rows
        Sample -> its row of the donor sheet (tool, labels).
    facts
        SAMPLES of the patient, all of them; samples are taken in the order of their days.
    persons
        The patient's rows of the persons sheet.
    genotypes, references
        Genotypes of the labels by sample, where given; those of known persons.
    sexes
        (sample, label) -> molecules of XIST and of Y-linked genes in the NK cells of the label.
    settings
        Config `donors`.

    Returns
    -------
    tuple of DataFrame
        MATCHES and COMPARISONS of the patient.
    """
    ordered = [s for s in facts.sort_values(["day", "sample"])["sample"] if s in calls]
    nodes = [(s, str(label)) for s in ordered for label in _labels(calls[s])]
    linked = link({s: genotypes[s] for s in ordered if s in genotypes}, references, settings)
    evidence = {node: dict.fromkeys(ORDER) for node in nodes}
    why: dict[Node, str] = dict(linked.undecided)
    numbers: dict[Node, tuple[float, float, float]] = {}
    traits = _traits(calls, ordered, persons, sexes=sexes, settings=settings)
    for s in ordered:
        labels = [label for sample, label in nodes if sample == s]
        singlets = calls[s][calls[s]["status"] == SINGLET]
        if calls[s]["second"].notna().any():
            agreed = by_second(
                labels, singlets["label"], singlets["second"],
                min_cells=settings["min_cells"], min_agreement=settings["min_agreement"],
            )  # fmt: skip
        else:
            agreed = {}
        for label in labels:
            node = (s, label)
            if not is_number(label, str(rows[s]["tool"]), rows[s]["labels"]):
                evidence[node]["named"] = label
            if label in agreed:
                evidence[node]["second call"] = agreed[label].person
                numbers[node] = (np.nan, agreed[label].share, agreed[label].runner_up)
                if agreed[label].reason:
                    why.setdefault(node, agreed[label].reason or "")
            for trait in ("sex genes", "antibody"):
                evidence[node][trait] = traits[trait].get(node)
    conflicts = _name_groups(linked, evidence)
    table = pd.DataFrame(
        [_row(node, evidence[node], conflicts, why=why, linked=linked, numbers=numbers, sexes=sexes) for node in nodes]
    )
    table = table.reindex(columns=[c for c in MATCHES.columns if c not in ("patient", "day", "tool")])
    table["tool"] = [str(rows[s]["tool"]) for s in table["sample"]]
    table["patient"], day = str(facts["patient"].iloc[0]), facts.set_index("sample")["day"]
    table["day"] = table["sample"].map(day)
    counted = {(s, label): int((calls[s]["label"] == label).sum()) for s, label in nodes}
    table["n_cells"] = [counted[s, label] for s, label in zip(table["sample"], table["label"], strict=True)]
    table["antibody"] = [
        _median(calls[s].loc[calls[s]["label"] == label, "antibody"])
        for s, label in zip(table["sample"], table["label"], strict=True)
    ]
    _give_roles(table, facts, persons, design=str(settings["design"]))
    return MATCHES.check(table) if len(table) else MATCHES.empty(), linked.comparisons


def _median(level: pd.Series) -> float:
    return float(level.median()) if level.notna().any() else np.nan


def _labels(calls: pd.DataFrame) -> list[str]:
    return sorted(calls.loc[calls["status"] == SINGLET, "label"].unique())


def _traits(
    calls: Mapping[str, pd.DataFrame],
    samples: list[str],
    persons: list[Mapping[str, Any]],
    *,
    sexes: Mapping[Node, tuple[float, float]],
    settings: Mapping[str, Any],
) -> dict[str, dict[Node, str]]:
    """Who the labels are by sex and by the antibody, where the persons sheet says how its two persons differ."""
    found: dict[str, dict[Node, str]] = {"sex genes": {}, "antibody": {}}
    for s in samples:
        singlets = calls[s][calls[s]["status"] == SINGLET]
        labels = _labels(calls[s])
        sex = {one: sex_of(*sexes.get((s, one), (0.0, 0.0))) for one in labels}
        binds = antibody_traits(singlets["label"], singlets["antibody"], labels, min_cells=settings["min_cells"])
        for trait, column, seen in (("sex genes", "sex", sex), ("antibody", "antibody", binds)):
            named = by_trait(seen, {str(p["person"]): p[column] for p in persons})
            found[trait] |= {(s, label): person for label, person in named.items()}
    return found


def _name_groups(linked: Linked, evidence: dict[Node, dict[str, str | None]]) -> dict[Node, str]:
    """Give every group of one genotype a name into `evidence`: its reference's, or what else names its labels."""
    conflicts: dict[Node, str] = {}
    named: dict[str, list[Node]] = {}
    unnamed = 0
    for group in linked.groups:
        nodes = [n for n in group.nodes if n in evidence]
        if not nodes:
            continue  # labels of the genotypes file that no cell has
        names: set[str | None] = {group.reference} if group.reference else set()
        for method in ("named", "second call", "sex genes", "antibody"):
            names = names or {evidence[n][method] for n in nodes if evidence[n][method]}
        text = group.conflict
        if len(names) > 1:
            text = f"one genotype, but the labels are {' and '.join(sorted(map(str, names)))} by other evidence"
        if text:
            conflicts |= dict.fromkeys(nodes, text)
            continue
        if not names:
            unnamed += 1
            names = {f"G{unnamed}"}
        name = str(names.pop())
        named.setdefault(name, []).extend(nodes)
        for node in nodes:
            evidence[node]["genotype"] = name
    # two groups of different genotype cannot have one name
    groups = [[n for n in g.nodes if n in evidence] for g in linked.groups]
    for name, nodes in named.items():
        if sum(bool(set(g) & set(nodes)) for g in groups) > 1:
            text = f"two genotypes, but both are {name} by other evidence"
            for node in nodes:
                conflicts[node], evidence[node]["genotype"] = text, None
    return conflicts


def _row(
    node: Node,
    evidence: Mapping[str, str | None],
    conflicts: Mapping[Node, str],
    *,
    why: Mapping[Node, str],
    linked: Linked,
    numbers: Mapping[Node, tuple[float, float, float]],
    sexes: Mapping[Node, tuple[float, float]],
) -> dict[str, Any]:
    method = next((m for m in ORDER if evidence[m] is not None), "none")
    person = None if method == "none" else evidence[method]
    others = [f"{m}: {evidence[m]}" for m in ORDER if evidence[m] is not None and evidence[m] != person]
    conflict = conflicts.get(node)
    if conflict:  # genotypes that contradict each other or the names leave nothing to believe
        person, method = None, "none"
    elif others:
        conflict = f"{person} by {method}, but {', '.join(others)}"
        if method != "named" or any(o.startswith("genotype") for o in others):
            person, method = None, "none"
    n_sites, concordance, runner_up = np.nan, np.nan, np.nan
    if node in linked.best or node in linked.runner_up:
        n_sites, concordance = linked.best.get(node, (np.nan, np.nan))
        runner_up = linked.runner_up.get(node, np.nan)
    elif node in numbers:
        n_sites, concordance, runner_up = numbers[node]
    xist, y = sexes.get(node, (np.nan, np.nan))
    return {
        "sample": node[0], "label": node[1], "person": person, "method": method, "n_sites": n_sites,
        "concordance": concordance, "runner_up": runner_up, "conflict": conflict,
        "sex": sex_of(xist, y) if np.isfinite(xist) else None, "xist_umis": xist, "y_umis": y,
        "reason": None if person is not None else conflict or why.get(node, NO_EVIDENCE),
    }  # fmt: skip


def _give_roles(table: pd.DataFrame, facts: pd.DataFrame, persons: list[Mapping[str, Any]], *, design: str) -> None:
    """Fill `role` and `role_source`: by the persons sheet, else by the product, else by blood before infusion."""
    role: dict[str, tuple[str, str]] = {}
    tissue = facts.set_index("sample")["tissue_or_product"]
    for row in persons:
        role[str(row["person"])] = (str(row["role"]), "persons sheet")
    counted = table[table["person"].notna()]
    total = table.groupby("sample")["n_cells"].sum()
    share = counted.groupby(["sample", "person"])["n_cells"].sum() if len(counted) else pd.Series(dtype=float)
    for (sample, person), n in share.items():
        part = n / total[sample]
        if person in role or part < MAJORITY:
            continue
        if tissue[sample] in ("product", "donor"):
            role[person] = ("donor", f"{part:.0%} of the cells of {sample}")
        elif design == "third_party" and facts.set_index("sample")["day"][sample] < 0:
            role[person] = ("recipient", f"{part:.0%} of the blood before infusion ({sample})")
    here = list(dict.fromkeys(counted["person"]))
    if len(here) == 2 and sum(p in role for p in here) == 1 and design == "third_party":
        known, other = sorted(here, key=lambda p: p not in role)
        opposite = "donor" if role[known][0] == "recipient" else "recipient"
        role[other] = (opposite, f"the other of two persons, {known} is the {role[known][0]}")
    table["role"] = [role.get(p, (None, None))[0] for p in table["person"]]
    table["role_source"] = [role.get(p, (None, None))[1] for p in table["person"]]
