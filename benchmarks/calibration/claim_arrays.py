"""Verdicts of the claims on thousands of cohorts: their own decisions, on arrays that never were tables.

Making tables and reading them back takes twenty times as long as deciding. So every claim is asked once of real tables,
its decision (a function on arrays) is kept, and the arrays that it would have read are made straight from the cohorts.
A test holds both ways together (``tests/unit/claims/test_calibration_arrays.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from cimlnk.claims import (
    checks_cmv,
    checks_composition,
    checks_kinetics,
    checks_outcome,
    checks_phenotype,
    checks_subsets,
    finding,
)
from cimlnk.claims.chance import Grid, draw
from cimlnk.claims.checks_composition import LEAST_CELLS
from cimlnk.claims.checks_kinetics import SMALLEST_FOLD
from cimlnk.claims.evaluate import evaluate
from cimlnk.claims.evidence import LEVEL, Arms, Evidence
from cimlnk.claims.finding import Decide, logit, unlogit
from cimlnk.common.seeds import rng
from cimlnk.dynamics.repertoire.differential import thinned
from cimlnk.stats.composition import clr
from cimlnk.stats.intervals import wilson

from .claim_cohorts import COUNT_DAYS, NAMED_CELLS, POPULATIONS, SLOTS, Cohort, Measured
from .claim_tables import tables

Floats = NDArray[np.float64]
Values = Mapping[str, Floats]
MODULES = (checks_cmv, checks_composition, checks_kinetics, checks_outcome, checks_phenotype, checks_subsets)
BY_TABLES = ("C08",)  # compares patients by what their sheet says, not a grid by its slots
AFTER = np.array(COUNT_DAYS) > 0
SORTED = np.argsort(POPULATIONS)
SLOT = {s: i for i, s in enumerate(SLOTS)}
BLOOD = [7, 14, 28, 60, 100]


class Question(NamedTuple):
    """A claim's decision, the grids it was made on, and its level."""

    decide: Decide
    grids: Mapping[str, Grid]
    level: float


def questions(claims: Mapping[str, Mapping[str, Any]], n: int, seed: int) -> dict[str, list[Question]]:
    """The decisions of the claims in cohorts of `n` patients an arm; C23 makes two."""
    kept: dict[str, list[Question]] = {}

    def recorder(evidence: Evidence, name: str, grids: Mapping[str, Grid], **options: Any) -> Any:
        kept.setdefault(name, []).append(Question(options["decide"], grids, options.get("level", LEVEL)))
        return finding.find(evidence, name, grids, **options)

    made = tables(n, rng(seed, "design", n), effect=True, rna=False)
    with ExitStack() as stack:
        for module in MODULES:
            stack.enter_context(mock.patch.object(module, "find", recorder))
        evaluate(claims, Evidence(made, Arms(), seed, draws=0))
    return kept


def _at(m: Measured, feature: str, *slots: tuple[str, int]) -> Floats:
    return m.markers[feature][:, [SLOT[s] for s in slots]]


def _odds(value: Floats) -> Floats:
    """Log odds as a claim sees them: of a share that is not below what it tells apart."""
    return logit(unlogit(value))


def _blood(days: Sequence[int]) -> list[int]:
    return [SLOT[("blood", d)] for d in days]


def _folds(m: Measured) -> Floats:
    after = np.log2(np.clip(m.fold[:, AFTER], SMALLEST_FOLD, None))
    return np.column_stack([np.zeros(len(after)), after])


def _shares(m: Measured) -> Floats:
    cells = m.cells["cytof"]
    return cells / cells.sum(axis=-1, keepdims=True)


def _rise(m: Measured, population: str, days: Sequence[int]) -> Floats:
    share = logit(_shares(m)[..., POPULATIONS.index(population)])
    slots = [i for i, (tissue, day) in enumerate(m.slots) if tissue == "blood" and day in days]
    return np.column_stack([share[:, SLOT[("donor", -30)]], share[:, slots].mean(axis=1)])


def _recall(m: Measured) -> Floats:
    """Signed rank correlations with IFN-gamma over the CD56dim populations, mean of a patient's samples."""
    ranks = stats.rankdata(m.dim, axis=-1)
    ranks -= ranks.mean(axis=-1, keepdims=True)
    scale = np.sqrt((ranks[0] ** 2).sum(axis=-1) * (ranks[1:] ** 2).sum(axis=-1))
    rho = (ranks[0] * ranks[1:]).sum(axis=-1) / scale
    return (rho * np.array([1, 1, 1, 1, -1])[:, None, None]).mean(axis=1).T


def _at_one_depth(m: Measured, slots: list[int], *, seed: int) -> Floats:
    names = np.concatenate([m.keys(m.slots[i])["sample"] for i in slots])
    cells = np.concatenate([m.cells["cytof"][:, i] for i in slots])[:, SORTED]
    few = thinned(pd.DataFrame(cells, index=names), LEAST_CELLS, seed).loc[names].to_numpy(float)
    logs = clr(few / few.sum(axis=1, keepdims=True))
    return np.moveaxis(logs.reshape(len(slots), len(m.patients), -1), 0, 1)


def _sides(m: Measured, value: Floats, worse: NDArray[np.bool_]) -> Values:
    return {"bad": value[worse], "good": value[~worse]}


def grids(made: Cohort, *, seed: int) -> dict[str, list[Values]]:
    """By claim the arrays that its decision reads."""
    ciml, il2, late = made.arms
    donor, product, before = ("donor", -30), ("product", 0), ("blood", -7)
    share, index = _shares(ciml), ciml.index["cytof"]
    compositions = {}
    for key, arm in (("a", ciml), ("b", il2)):
        of = clr(_shares(arm)[..., SORTED])
        compositions[key] = np.stack([of[:, SLOT[before]], of[:, _blood([7, 14, 28])].mean(axis=1)], axis=1)
    nkg2a = _odds(ciml.markers["NKG2A"])
    counts = {
        f: np.log2(5 * np.sinh(np.clip(_at(ciml, f, donor, product, ("blood", 28)), 0, None)) + 1)
        for f in ("CD25", "CD69")
    }
    early = (before, ("blood", 7), ("blood", 60))
    whole, memory = unlogit(ciml.nkg2c["NK"]), unlogit(ciml.nkg2c["memory_like"])
    rest = np.clip((1000 * whole - NAMED_CELLS * memory) / (1000 - NAMED_CELLS), 0, 1)
    immature = logit(share[:, _blood(BLOOD), POPULATIONS.index("CD56bright")]).mean(axis=1)
    diversity = -np.log2((2.0 ** index[:, _blood(BLOOD)]).mean(axis=1))
    folds = {"folds": _folds(ciml)}
    return {
        "C01": [folds],
        "C05": [folds],
        "C06": [folds],
        "C07": [{"x": _folds(ciml), "y": _folds(il2), **compositions}],
        "C09": [{"clr": _at_one_depth(ciml, [SLOT[product], *_blood(BLOOD)], seed=seed)}],
        "C11": [{"cytof": np.column_stack([nkg2a[:, SLOT[donor]], nkg2a[:, _blood([7, 14, 28, 60])].mean(axis=1)])}],
        "C12": [counts],
        "C13": [{"share": _odds(_at(ciml, "Ki-67", before, *(("blood", d) for d in BLOOD)))}],
        "C14": [{"CD56": _at(ciml, "CD56", *early), "CD16": _odds(_at(ciml, "CD16", *early))}],
        "C15": [{"share": _rise(ciml, "CD56bright", (7, 14, 28))}],
        "C16": [{"rho": _recall(ciml)}],
        "C17": [_sides(ciml, _odds(_at(ciml, "CD8a", donor))[:, 0], ~ciml.good)],
        "C18": [{"share": _rise(ciml, "memory_like", (7, 14, 28, 60))}],
        "C19": [{"share": np.column_stack([logit(rest).mean(axis=1), logit(memory).mean(axis=1)])}],
        "C20": [{"share": _rise(ciml, "memory_like", (28, 60, 100))}],
        "C21": [{"share": _rise(late, "memory_like", (100, 120))}],
        "C22": [{"index": index[:, [SLOT[donor], SLOT[product], SLOT[("blood", 100)]]]}],
        "C23": [_sides(ciml, immature, ~ciml.good), _sides(ciml, diversity, ~ciml.good)],
    }


def supported(
    asked: Mapping[str, list[Question]], cohorts: Sequence[Cohort], *, seed: int, draws: int, first: int = 0
) -> dict[str, Any]:
    """By claim whether it is supported in each cohort (numbered from `first`), and if it can be in any of its size."""
    made = [grids(c, seed=seed) for c in cohorts]
    result: dict[str, Any] = {}
    for claim, parts in asked.items():
        if claim in BY_TABLES:
            continue
        if claim not in made[0]:
            raise LookupError(f"{claim}: found no arrays, expected some from claim_arrays.grids (CONTRIBUTING.md)")
        ok, reachable = np.ones(len(cohorts), dtype=bool), True
        for k, values in enumerate(made[0][claim]):
            question = parts[min(k, len(parts) - 1)]
            stacked = {key: np.stack([m[claim][k][key] for m in made]) for key in values}
            decided = question.decide(stacked)
            ok &= decided.ok
            reachable &= not decided.p_floor > question.level + 1e-12
            if np.isnan(decided.p_floor):  # no exact test: how often chance supports it decides too
                for i in np.flatnonzero(ok):
                    ok[i] = _not_too_often(
                        question,
                        {key: v[i] for key, v in stacked.items()},
                        rng(seed, claim, first + int(i)),
                        draws=draws,
                    )
        result[claim] = (ok & reachable, reachable)
    if all(len(c.identity) for c in cohorts):
        result["C10"] = (np.array([float(c.identity["p"].iloc[0]) <= LEVEL for c in cohorts]), True)
    return result


def _not_too_often(question: Question, values: Values, random: np.random.Generator, *, draws: int) -> bool:
    """Whether cohorts without effect, as noisy as this one, would be supported seldom enough."""
    drawn = {}
    for key in sorted(values):
        one = draw(replace(question.grids[key], values=values[key]), draws, random)
        if one is None:
            return False
        drawn[key] = one
    return wilson(float(question.decide(drawn).ok.mean()), draws)[0] <= LEVEL
