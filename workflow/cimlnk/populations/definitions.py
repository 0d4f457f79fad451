"""Definitions of the named populations, by protein or by gene, read from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cimlnk.common.errors import Plain, Problems, UserError

KEYS = ("label", "description", "source", "requires", "positive", "negative", "otherwise")


@dataclass(frozen=True)
class Definition:
    """One named population.

    Attributes
    ----------
    name
        Id used in every table.
    positive, negative
        Feature (or group of features) -> weight of its evidence.
    requires
        Features that decide: each must reach an evidence of one half, whatever the others say. Values are
        ``"positive"`` or ``"negative"``.
    otherwise
        A less specific name, asked only where none of the others fits.
    """

    name: str
    label: str
    positive: Mapping[str, float]
    negative: Mapping[str, float]
    requires: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    source: str = ""
    otherwise: bool = False


@dataclass(frozen=True)
class Definitions:
    """All populations of a file, and groups of features of which any one counts (KIR)."""

    populations: tuple[Definition, ...]
    groups: Mapping[str, tuple[str, ...]]

    def features(self) -> list[str]:
        """Every feature named anywhere, groups expanded, in order of first mention."""
        seen: dict[str, None] = {}
        for d in self.populations:
            for name in [*d.requires, *d.positive, *d.negative]:
                for feature in self.groups.get(name, (name,)):
                    seen.setdefault(feature)
        return list(seen)


def load_definitions(path: str | Path) -> Definitions:
    """Read a definitions file (see ``resources/phenotypes/nk.yaml`` for the format).

    ``positive`` and ``negative`` are lists (weight 1 each) or mappings to weights; ``up`` and ``down`` are accepted
    as their names in gene signatures.

    Raises
    ------
    UserError
        If the file is absent, is not YAML, or a population has unknown keys, no features or a contradiction.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(path, "population definitions", Plain("no file"), "a YAML file")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as e:
        raise UserError(path, "population definitions", Plain(str(e).splitlines()[0]), "valid YAML") from e
    if not isinstance(content, Mapping) or not isinstance(content.get("populations"), Mapping):
        raise UserError(path, "top level", content if content is None else type(content).__name__, "key populations")
    problems = Problems()
    groups = {str(k): tuple(map(str, v)) for k, v in (content.get("groups") or {}).items()}
    populations = []
    for name, raw in content["populations"].items():
        populations.append(_definition(path, str(name), raw or {}, problems))
    problems.raise_if_any()
    return Definitions(tuple(populations), groups)


def _weights(value: Any) -> dict[str, float]:
    if isinstance(value, Mapping):
        return {str(k): float(v) for k, v in value.items()}
    return {str(k): 1.0 for k in value or ()}


def _definition(path: Path, name: str, raw: Mapping[str, Any], problems: Problems) -> Definition:
    raw = {{"up": "positive", "down": "negative"}.get(k, k): v for k, v in raw.items()}
    where = f"populations.{name}"
    for key in raw:
        if key not in KEYS:
            problems.add(path, where, key, f"one of {', '.join(KEYS)}", KEYS)
    positive, negative = _weights(raw.get("positive")), _weights(raw.get("negative"))
    requires = {str(k): str(v) for k, v in (raw.get("requires") or {}).items()}
    if not positive and not negative:
        problems.add(path, where, Plain("no features"), "at least one positive or negative feature")
    for feature in sorted(set(positive) & set(negative)):
        problems.add(path, where, feature, "a feature that is either positive or negative")
    for feature, sign in requires.items():
        if sign not in ("positive", "negative"):
            problems.add(path, f"{where}.requires.{feature}", sign, "positive or negative", ["positive", "negative"])
    otherwise = raw.get("otherwise", False)
    if not isinstance(otherwise, bool):
        problems.add(path, f"{where}.otherwise", otherwise, "true or false")
    return Definition(
        name=name,
        label=str(raw.get("label", name)),
        positive=positive,
        negative=negative,
        requires=requires,
        description=str(raw.get("description", "")),
        source=str(raw.get("source", "")),
        otherwise=bool(otherwise),
    )
