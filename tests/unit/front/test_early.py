"""What a user wrote for a later stage is loaded at the start, and its mistakes come in one message."""

from __future__ import annotations

import copy
import random
from pathlib import Path

import pytest
import yaml

from cimlnk.cohort.config import resolve
from cimlnk.common.errors import UserError
from cimlnk.front.early import check_early, check_synthetic

ROOT = Path(__file__).resolve().parents[3]
COLUMNS = ["patient", "timepoint", "arm", "age"]
FILES = {
    "gates": ("resources/gates/nk.yaml", ("cytof", "gates")),
    "lineages": ("resources/signatures/contaminants.yaml", ("rna", "lineages")),
    "phenotypes": ("resources/phenotypes/nk.yaml", ("populations", "cytof", "definitions")),
    "signatures": ("resources/signatures/nk.yaml", ("populations", "rna", "definitions")),
}


@pytest.fixture(scope="module")
def cfg():
    config = yaml.safe_load((ROOT / "config/tiny.yaml").read_text(encoding="utf-8"))
    return resolve(config, ROOT)


def test_what_is_shipped_is_sound(cfg):
    check_early(cfg, COLUMNS, ROOT)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("timepoint + agee", "found 'agee', expected a column .* mean 'age'"),
        ("timepoint +* (", "a formula"),
    ],
)
def test_a_formula_is_looked_up_in_the_sheets(cfg, formula, words):
    bent = copy.deepcopy(cfg)
    bent["dynamics"]["tests"]["formula"] = formula
    with pytest.raises(UserError, match=words):
        check_early(bent, COLUMNS, ROOT)


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"C99": {"day": 3}}, "claims.bounds.C99"),
        ({"C05": {"dya": 21}}, "did you mean 'day'"),
        ({"C05": {"day": "late"}}, "claims.bounds.C05.day: found 'late', expected a number"),
        ({"C05": 21}, "a mapping of bounds"),
    ],
)
def test_bounds_of_claims_are_looked_up_before_a_run(cfg, bounds, words):
    bent = copy.deepcopy(cfg)
    bent["claims"]["bounds"] = bounds
    with pytest.raises(UserError, match=words):
        check_early(bent, COLUMNS, ROOT)
    bent["claims"]["bounds"] = {"C05": {"day": 21, "fold": 8.5}}
    check_early(bent, COLUMNS, ROOT)


@pytest.mark.parametrize("name", ["samples", "counts", "patients"])
def test_sheets_that_the_generator_did_not_write_are_refused_before_their_files_are_made(cfg, name, tmp_path):
    check_synthetic(cfg, ROOT)
    path = tmp_path / f"{name}.tsv"
    sound = (ROOT / cfg["cohort"][name]).read_text(encoding="utf-8")
    other = copy.deepcopy(cfg)
    other["cohort"][name] = str(path)
    path.write_bytes("\n".join(sound.splitlines()[:-1]).encode("utf-8-sig"))
    with pytest.raises(UserError, match=f"{name}.tsv: line .*the end of the file.*--size tiny --seed 1 --cohort tiny"):
        check_synthetic(other, ROOT)
    path.write_bytes(sound.encode("utf-16"))
    with pytest.raises(UserError, match=f"{name}.tsv: line 1"):
        check_synthetic(other, ROOT)
    check_synthetic(other | {"simulate": None}, ROOT)  # real data
    other["cohort"][name] = None
    with pytest.raises(UserError, match=f"cohort.{name}: found nothing"):
        check_synthetic(other, ROOT)


@pytest.mark.parametrize("kind", FILES)
def test_a_bent_file_is_loaded_or_told(cfg, kind, tmp_path):
    """Keys lost, values replaced by things of another kind: never another exception."""
    source, keys = FILES[kind]
    sound = yaml.safe_load((ROOT / source).read_text(encoding="utf-8"))
    bent_cfg = copy.deepcopy(cfg)
    inner = bent_cfg
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = str(tmp_path / "bent.yaml")
    rng, told = random.Random(1), 0
    for _ in range(80):
        content = copy.deepcopy(sound)
        node, depth = content, rng.randrange(1, 6)
        for _ in range(depth):
            places = list(node) if isinstance(node, dict) else list(range(len(node)))
            place = rng.choice(places)
            if not isinstance(node[place], dict | list) or not node[place] or rng.random() < 0.3:
                break
            node = node[place]
        places = list(node) if isinstance(node, dict) else list(range(len(node)))
        place = rng.choice(places)
        node[place] = rng.choice([None, 7, float("nan"), "CD56", [], {}, [None], {"x": [1]}, True, [["a"]], -1, ""])
        (tmp_path / "bent.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        try:
            check_early(bent_cfg, COLUMNS, ROOT)
        except UserError:
            told += 1
    assert told > 20
