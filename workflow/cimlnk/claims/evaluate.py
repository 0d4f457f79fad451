"""Evaluate every claim of ``seeds/claims.yaml`` on the tables of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_table, write_table
from cimlnk.cytof.panel import load_panel

from . import (
    checks_cmv,
    checks_composition,
    checks_design,
    checks_integrity,
    checks_kinetics,
    checks_outcome,
    checks_phenotype,
    checks_subsets,
)
from .evidence import KINDS, Arms, Evidence, Verdict
from .tables import CLAIMS

Check = Callable[[Evidence, Mapping[str, Any]], Verdict]
ANALYSIS = "D"  # tier of the claims about the analysis itself
OF_ARMS = ("negative_controls",)  # checks of tier D that read arms of infused patients or their controls
MODULES = (
    checks_design,
    checks_kinetics,
    checks_cmv,
    checks_phenotype,
    checks_composition,
    checks_subsets,
    checks_outcome,
    checks_integrity,
)


def find_check(name: str) -> Check:
    """The function named by a claim's `check`.

    Raises
    ------
    KeyError
        If no check module has it.
    """
    for module in MODULES:
        if hasattr(module, name):
            return getattr(module, name)
    raise KeyError(name)


def load_claims(path: str | Path) -> dict[str, dict[str, Any]]:
    """The claims by id, in the file's order.

    Raises
    ------
    ValueError
        If a claim has a kind that is not on the closed list: a fault in the shipped file.
    """
    claims = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    for name, claim in claims.items():
        if claim.get("kind") not in KINDS:
            raise ValueError(f"claim {name} has kind {claim.get('kind')!r}, not one of {', '.join(KINDS)}")
    return claims


def with_bounds(
    claims: Mapping[str, Mapping[str, Any]], changed: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Claims with the config's bounds put over the defaults.

    Raises
    ------
    UserError
        If a claim or a bound of the config does not exist, or a bound is of another kind than its default.
    """
    result = {name: dict(claim) for name, claim in claims.items()}
    for name, bounds in changed.items():
        where = f"claims.bounds.{name}"
        if name not in result:
            raise UserError("config", where, name, "the id of a claim", result)
        known = result[name].get("bounds", {})
        if not isinstance(bounds, Mapping):
            raise UserError("config", where, bounds, "a mapping of bounds, such as {day: 21}")
        for key, value in bounds.items():
            if key not in known:
                raise UserError("config", f"{where}.{key}", key, "a bound of this claim", known)
            if _kind(value) != _kind(known[key]):
                expected = f"{_kind(known[key])}, such as the default {known[key]}"
                raise UserError("config", f"{where}.{key}", value, expected)
        result[name]["bounds"] = {**known, **bounds}
    return result


def _kind(value: object) -> str:
    """What a bound is, in words; every number is of one kind."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, Mapping) else "nothing"


def asked(claims: Mapping[str, Mapping[str, Any]], infused: bool) -> dict[str, Mapping[str, Any]]:
    """The claims that can be put to a cohort: where nobody was infused, those of tier D about the analysis itself.

    Of these the negative controls are left out: they are arms of a study that infuses.

    What the study found in infused patients is neither right nor wrong of other people, and its words in their results
    would be read as a finding.
    """
    own = {name for name, claim in claims.items() if claim["tier"] == ANALYSIS and claim["check"] not in OF_ARMS}
    return {name: claim for name, claim in claims.items() if infused or name in own}


def evaluate(claims: Mapping[str, Mapping[str, Any]], evidence: Evidence) -> pd.DataFrame:
    """One CLAIMS row per claim."""
    rows = []
    for name, claim in claims.items():
        verdict = find_check(claim["check"])(evidence, claim["bounds"])
        rows.append(
            {
                "claim": name,
                "title": claim["title"],
                "kind": claim["kind"],
                "verdict": verdict.verdict,
                "value": verdict.value,
                "low": verdict.low,
                "high": verdict.high,
                "bound": verdict.bound,
                "n": verdict.n,
                "chance": verdict.chance,
                "p": verdict.p,
                "p_attainable": verdict.p_attainable,
                "arm": verdict.arm,
                "modality": verdict.modality,
                "tier": claim["tier"],
                "source": claim["source"],
                "why": verdict.why,
            }
        )
    return CLAIMS.check(pd.DataFrame(rows))


def write_claims(
    *,
    tables: Mapping[str, str],
    definitions: str,
    settings: Mapping[str, Any],
    infused: bool,
    baseline: str,
    panel: str | None,
    seed: int,
    output: str,
    provenance: Mapping[str, Any],
) -> None:
    """Evaluate the claims on tables given by name and path, and write CLAIMS.

    Parameters
    ----------
    tables
        Name of :class:`~cimlnk.claims.evidence.Evidence` -> file; names that begin with ``tests_`` are parts of one
        table, whose column ``table`` holds the rest of the name.
    settings
        Config section ``claims``: arms, bounds, min_patients.
    infused
        Whether somebody of the cohort was: else only claims about the analysis are asked (:func:`asked`).
    baseline
        Config ``dynamics.baseline_timepoint``.
    panel
        The panel sheet, for the cofactors; None without mass cytometry.
    """
    frames = {name: read_table(path) for name, path in tables.items()}
    tests = [
        _rows_of_tests(n.removeprefix("tests_"), t) for n, t in frames.items() if n.startswith("tests_") and len(t)
    ]
    joined = {name: t for name, t in frames.items() if not name.startswith("tests_")}
    if tests:
        joined["tests"] = pd.concat(tests, ignore_index=True)
    cofactors = {} if panel is None else load_panel(panel).set_index("marker")["cofactor"].astype(float).to_dict()
    evidence = Evidence(
        joined, Arms(**settings["arms"]), seed, settings["min_patients"], baseline=baseline, cofactors=cofactors
    )
    table = evaluate(asked(with_bounds(load_claims(definitions), settings["bounds"]), infused), evidence)
    write_table(table, output, CLAIMS, provenance=provenance)


def _rows_of_tests(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of TESTS with the table they stand in; neighbourhoods are tested in a table of their own columns."""
    if name == "neighbourhoods":
        table = table.assign(
            test=name, feature=table["neighbourhood"].astype(str), method="quasi_likelihood_f", p_floor=0.0
        )
    return table.assign(table=name)
