"""The file of definitions: populations, groups, brightness and scores read from YAML, every mistake told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.markers import canonical
from cimlnk.common.yaml_file import read_yaml

from .definitions import ROOT, STATES, Brightness, Definition, Definitions, Score

KEYS = ("label", "description", "source", "parents", "requires", "positive", "clear", "negative", "agree", "elsewhere")
TOP = ("groups", "bright", "scores", "refine_from", "populations")
SCORE_KEYS = ("over", "under", "above", "sd", "source", "clustered")
BY_BRIGHTNESS = ("bright", "raised", "dim")


def load_definitions(path: str | Path, *, infused: bool = True) -> Definitions:
    """Read a definitions file (``resources/phenotypes/nk.yaml`` explains the format at its head).

    ``positive``, ``clear`` and ``negative`` are lists (weight 1 each) or mappings to weights; ``up`` and ``down`` are
    accepted as names of the first and the last in gene signatures. Markers may be given by any alias of
    ``resources/markers.tsv``.

    Parameters
    ----------
    path
        The YAML file.
    infused
        Whether somebody of the cohort was infused (a product or a treated arm in the sample sheet). If not, a
        population with ``elsewhere`` goes by the name given there, which claims nothing about its history.

    Raises
    ------
    UserErrors
        All mistakes: no such file, no YAML, unknown keys, wrong shapes, states or parents, a contradiction.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(path, "population definitions", Plain("no file"), "a YAML file")
    content = read_yaml(path)
    if not isinstance(content, Mapping) or not isinstance(content.get("populations"), Mapping):
        raise UserError(path, "top level", content if content is None else type(content).__name__, "key populations")
    problems = Problems()
    for key in content:
        if key not in TOP:
            problems.add(path, "top level", key, f"one of {', '.join(TOP)}", TOP)
    groups = _groups(path, content.get("groups"), problems)
    scores = _scores(path, content.get("scores"), problems)
    refine_from = content.get("refine_from", 0.5)
    if not _number(refine_from) or not 0.5 <= refine_from < 1:
        problems.add(path, "refine_from", refine_from, "a number from 0.5 to below 1")
    bright = _bright(path, content.get("bright"), problems)
    names = [str(n) for n in content["populations"]]
    populations = []
    for name, raw in content["populations"].items():
        found = _definition(
            path, str(name), raw, names=names, infused=infused, groups={**groups, **scores}, problems=problems
        )
        if found is not None:
            populations.append(found)
    for d in populations:
        for feature, state in [i for r in d.requires for i in r.items()]:
            if state in BY_BRIGHTNESS and feature not in bright:
                problems.add(
                    path, f"populations.{d.name}.requires.{feature}", state, f"an entry {feature} under `bright`"
                )
    problems.raise_if_any()
    renamed = {str(n): d.name for n, d in zip(content["populations"], populations, strict=True)}
    result = Definitions(
        tuple(Definition(**{**vars(d), "parents": tuple(renamed.get(p, p) for p in d.parents)}) for d in populations),
        groups,
        bright,
        scores,
        refine_from,
    )
    for d in result.populations:
        if d.name in result.ancestors(d.name):
            raise UserError(path, f"populations.{d.name}.parents", list(d.parents), "parents without a circle")
    return result


def _feature(name: Any, groups: Mapping[str, Any] = MappingProxyType({})) -> str:
    """A group by its own name, a marker by the name of ``resources/markers.tsv``."""
    return str(name) if name in groups else canonical(str(name)) or str(name)


def _groups(path: Path, raw: Any, problems: Problems) -> dict[str, tuple[str, ...]]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        problems.add(path, "groups", raw, "a mapping of group names to lists of features")
        return {}
    groups = {}
    for name, members in raw.items():
        if not isinstance(members, list) or not members or not all(isinstance(m, str) for m in members):
            problems.add(path, f"groups.{name}", members, "a list of features")
        else:
            groups[str(name)] = tuple(dict.fromkeys(_feature(m) for m in members))
    return groups


def _bright(path: Path, raw: Any, problems: Problems) -> dict[str, Brightness]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        problems.add(path, "bright", raw, "a mapping of features to {mature, by, raised, above_threshold}")
        return {}
    out = {}
    numbers = ("by", "raised", "above_threshold")
    for name, entry in raw.items():
        where = f"bright.{name}"
        if not isinstance(entry, Mapping) or set(entry) != {"mature", *numbers}:
            problems.add(path, where, entry, "the keys mature, by, raised, above_threshold")
        elif not isinstance(entry["mature"], list) or not all(isinstance(m, str) for m in entry["mature"]):
            problems.add(path, f"{where}.mature", entry["mature"], "a list of features")
        elif bad := [n for n in numbers if not _number(entry[n])]:
            problems.add(path, f"{where}.{bad[0]}", entry[bad[0]], "a number > 0")
        else:
            mature = tuple(_feature(m) for m in entry["mature"])
            out[_feature(name)] = Brightness(mature, *(float(entry[n]) for n in numbers))
    return out


def _scores(path: Path, raw: Any, problems: Problems) -> dict[str, Score]:
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        problems.add(path, "scores", raw, "a mapping of score names to {over, under, above, sd, source}")
        return {}
    out = {}
    for name, entry in raw.items():
        where = f"scores.{name}"
        if not isinstance(entry, Mapping) or not {"over", "above", "sd"} <= set(entry) <= set(SCORE_KEYS):
            problems.add(path, where, entry, "the keys over, above, sd, and where wanted under, source and clustered")
            continue
        lists = [entry["over"], entry.get("under", [])]
        if not isinstance(entry.get("clustered", True), bool):
            problems.add(path, f"{where}.clustered", entry["clustered"], "true or false")
        elif not all(isinstance(x, list) and all(isinstance(g, str) for g in x) for x in lists) or not lists[0]:
            problems.add(path, where, entry, "lists of genes over and under")
        elif not _number(entry["sd"]) or not _number(entry["above"], least=-1e6):
            problems.add(path, f"{where}.above", entry["above"], "a number, and sd a number > 0")
        elif not lists[1] and entry["above"] <= 0:
            problems.add(path, f"{where}.above", entry["above"], "molecules per 10,000, a number > 0")
        else:
            out[str(name)] = Score(tuple(lists[0]), tuple(lists[1]), float(entry["above"]), float(entry["sd"]))
    return out


def _number(value: Any, least: float = 0) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least < value < 1e6


def _weights(path: Path, where: str, value: Any, *, groups: Mapping[str, Any], problems: Problems) -> dict[str, float]:
    if value is None:
        return {}
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        return {_feature(v, groups): 1.0 for v in value}
    if isinstance(value, Mapping) and all(_number(v) for v in value.values()):
        return {_feature(k, groups): float(v) for k, v in value.items()}
    problems.add(path, where, value, "a list of features, or a mapping of features to weights > 0")
    return {}


def _requires(
    path: Path, where: str, value: Any, *, groups: Mapping[str, Any], problems: Problems
) -> tuple[dict[str, str], ...]:
    if value is None:
        return ({},)
    alternatives = value if isinstance(value, list) else [value]
    out = []
    for alternative in alternatives:
        if not isinstance(alternative, Mapping) or not alternative:
            problems.add(path, where, alternative, f"a mapping of features to one of {', '.join(STATES)}")
            continue
        for feature, state in alternative.items():
            if state not in STATES:
                problems.add(path, f"{where}.{feature}", state, f"one of {', '.join(STATES)}", STATES)
        out.append({_feature(f, groups): str(s) for f, s in alternative.items()})
    return tuple(out) or ({},)


def _definition(
    path: Path,
    name: str,
    raw: Any,
    *,
    names: list[str],
    infused: bool,
    groups: Mapping[str, Any],
    problems: Problems,
) -> Definition | None:
    where = f"populations.{name}"
    if not isinstance(raw, Mapping):
        problems.add(path, where, raw, f"a mapping with {', '.join(KEYS)}")
        return None
    raw = {{"up": "positive", "down": "negative"}.get(k, k): v for k, v in raw.items()}
    for key in raw:
        if key not in KEYS:
            problems.add(path, where, key, f"one of {', '.join(KEYS)}", KEYS)
    positive = _weights(path, f"{where}.positive", raw.get("positive"), groups=groups, problems=problems)
    negative = _weights(path, f"{where}.negative", raw.get("negative"), groups=groups, problems=problems)
    clear = _weights(path, f"{where}.clear", raw.get("clear"), groups=groups, problems=problems)
    agree = raw.get("agree")
    if agree is not None and (not _number(agree) or not agree <= 1):
        problems.add(path, f"{where}.agree", agree, "a number above 0, 1 at most")
    elif agree is not None and not {**positive, **clear, **negative}:
        problems.add(path, f"{where}.agree", agree, "further evidence under positive, clear or negative")
    requires = _requires(path, f"{where}.requires", raw.get("requires"), groups=groups, problems=problems)
    if not any(requires):
        problems.add(path, where, Plain("no `requires`"), "at least one feature that decides")
    for feature in sorted({*positive, *clear} & set(negative)):
        problems.add(path, where, feature, "a feature that is either positive or negative")
    parents = raw.get("parents", [ROOT])
    if not isinstance(parents, list) or not parents:
        problems.add(path, f"{where}.parents", parents, "a list of names of this file")
        parents = [ROOT]
    for parent in parents:
        if parent != ROOT and parent not in names:
            problems.add(path, f"{where}.parents", parent, f"one of {', '.join([ROOT, *names])}", [ROOT, *names])
    label = raw.get("label", name)
    other = raw.get("elsewhere")
    if other is not None and (not isinstance(other, Mapping) or set(other) != {"name", "label"}):
        problems.add(path, f"{where}.elsewhere", other, "the keys name and label")
    elif other is not None and not infused:
        name, label = str(other["name"]), other["label"]
    return Definition(
        name=name,
        label=str(label),
        requires=requires,
        parents=tuple(str(p) for p in parents),
        positive=positive,
        negative=negative,
        clear=clear,
        agree=float(agree) if _number(agree) else None,
        description=str(raw.get("description", "")),
        source=str(raw.get("source", "")),
    )
