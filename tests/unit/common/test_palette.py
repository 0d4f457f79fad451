"""Colours and labels: every shipped name has its own, and reads as its definition says."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from cimlnk.common.palette import LABELS, POPULATIONS

ROOT = Path(__file__).resolve().parents[3]


def named() -> dict[str, dict]:
    text = yaml.safe_load((ROOT / "resources/phenotypes/nk.yaml").read_text(encoding="utf-8"))
    return text["populations"]


@pytest.mark.parametrize("name", sorted(named()))
def test_a_shipped_name_has_a_colour_and_its_own_label(name):
    definition = named()[name]
    assert name in POPULATIONS
    assert definition["label"] == LABELS.get(name, name)
    others = {n: c for n, c in POPULATIONS.items() if n in named() and n != name}
    assert POPULATIONS[name] not in others.values()
