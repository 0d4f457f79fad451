"""A file of definitions: every mistake told at once, markers by any of their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from cimlnk.common.errors import UserErrors
from cimlnk.populations.definitions_file import load_definitions

ROOT = Path(__file__).resolve().parents[3]


def test_both_modalities_have_the_same_names_and_labels():
    for infused in (True, False):
        both = [
            load_definitions(ROOT / f, infused=infused).populations
            for f in ("resources/phenotypes/nk.yaml", "resources/signatures/nk.yaml")
        ]
        assert [(d.name, d.label) for d in both[0]] == [(d.name, d.label) for d in both[1]]


def test_definition_faults_are_told_together(tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(
        "populations:\n  A: {positve: [CD56], requires: {CD16: positive}}\n"
        "  B: {positive: [CD16], negative: [CD16], requires: {CD3: negative}}\n"
        "  C: {requires: {CD16: plus}}\n  D: {requires: {CD16: positive}, positive: CD56}\n"
        "  E: {requires: {CD16: positive}, positive: {CD56: .nan}, parents: [Z]}\n  F: nothing\n"
        "  G: {positive: [CD2]}\n  H: {requires: {CD16: positive}, agree: 0.5}\n"
        "  I: {requires: {CD16: positive}, clear: [CD2], agree: 2}\n"
        "  J: {requires: {CD16: positive}, clear: [CD2], agree: 0.8 0.85}\n"
        f"scores: {{S: {{over: [A], above: 1{400 * '0'}, sd: 1}}}}\n"
    )
    with pytest.raises(UserErrors) as e:
        load_definitions(path)
    text = str(e.value)
    for words in (
        "did you mean 'positive'", "populations.B", "populations.C.requires.CD16",
        "populations.D.positive: found 'CD56'",
        "populations.E.positive", "populations.E.parents: found 'Z'", "populations.F: found 'nothing'", "populations.G",
        "populations.H.agree: found 0.5", "populations.I.agree: found 2",
        "populations.J.agree: found '0.8 0.85'", "scores.S.above",
    ):  # fmt: skip
        assert words in text, words


def test_aliases_in_definitions_mean_the_marker(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("populations:\n  A: {requires: {CD159a: positive, FcgRIII: low}, positive: [NCAM1]}\n")
    assert load_definitions(path).features() == ["NKG2A", "CD16", "CD56"]
