"""Evaluate every claim of ``seeds/claims.yaml`` on the tables of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_table, write_table

from . import checks_design, checks_integrity, checks_kinetics, checks_phenotype, checks_subsets
from .evidence import Arms, Evidence, Verdict
from .tables import CLAIMS

Check = Callable[[Evidence, Mapping[str, Any]], Verdict]
ANALYSIS = "D"  # tier of the claims about the analysis itself
MODULES = (checks_design, checks_kinetics, checks_phenotype, checks_subsets, checks_integrity)


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
    """The claims by id, in the file's order."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def with_bounds(
    claims: Mapping[str, Mapping[str, Any]], changed: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Claims with the config's bounds put over the defaults.

    Raises
    ------
    UserError
        If a claim or a bound of the config does not exist.
    """
    result = {name: dict(claim) for name, claim in claims.items()}
    for name, bounds in changed.items():
        if name not in result:
            raise UserError("config", f"claims.bounds.{name}", name, "the id of a claim", result)
        known = result[name]["bounds"]
        for key in bounds:
            if key not in known:
                raise UserError("config", f"claims.bounds.{name}.{key}", key, "a bound of this claim", known)
        result[name]["bounds"] = {**known, **bounds}
    return result


def asked(claims: Mapping[str, Mapping[str, Any]], infused: bool) -> dict[str, Mapping[str, Any]]:
    """The claims that can be put to a cohort: where nobody was infused, those of tier D about the analysis itself.

    What the study found in infused patients is neither right nor wrong of other people, and its words in their results
    would be read as a finding.
    """
    return {name: claim for name, claim in claims.items() if infused or claim["tier"] == ANALYSIS}


def evaluate(claims: Mapping[str, Mapping[str, Any]], evidence: Evidence) -> pd.DataFrame:
    """One CLAIMS row per claim."""
    rows = []
    for name, claim in claims.items():
        verdict = find_check(claim["check"])(evidence, claim["bounds"])
        rows.append(
            {
                "claim": name,
                "title": claim["title"],
                "verdict": verdict.verdict,
                "value": verdict.value,
                "low": verdict.low,
                "high": verdict.high,
                "bound": verdict.bound,
                "n": verdict.n,
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
    seed: int,
    output: str,
    provenance: Mapping[str, Any],
) -> None:
    """Evaluate the claims on tables given by name and path, and write CLAIMS.

    Parameters
    ----------
    tables
        Name of :class:`~cimlnk.claims.evidence.Evidence` -> file; a name ending in ``_1``, ``_2`` … is one part of a
        table that several rules write (``tests_1``, ``tests_2``).
    settings
        Config section ``claims``: arms, bounds, min_patients.
    infused
        Whether somebody of the cohort was: else only claims about the analysis are asked (:func:`asked`).
    """
    frames: dict[str, list[pd.DataFrame]] = {}
    for name, path in tables.items():
        stem = name.rsplit("_", 1)[0] if name.rsplit("_", 1)[-1].isdigit() else name
        frames.setdefault(stem, []).append(read_table(path))
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}
    evidence = Evidence(joined, Arms(**settings["arms"]), seed, settings["min_patients"])
    table = evaluate(asked(with_bounds(load_claims(definitions), settings["bounds"]), infused), evidence)
    write_table(table, output, CLAIMS, provenance=provenance)
