"""Arms have one name everywhere: sheets, claims, colours and simulated cohorts."""

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml

from cimlnk.claims.evidence import Arms
from cimlnk.cohort.config import resolve
from cimlnk.report.style import ARMS
from cimlnk.simulate.design import SIZES, STREAMS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def defaults():
    return resolve({"cohort": {"id": "x", "samples": "config/samples/tiny.tsv"}}, ROOT)


def test_the_arms_that_claims_ask_for_are_arms_a_sheet_may_name(defaults):
    named = defaults["claims"]["arms"]
    assert named == asdict(Arms())
    assert set(named.values()) <= set(defaults["cohort"]["arms"])


def test_every_arm_has_a_colour_of_its_own(defaults):
    assert list(ARMS) == defaults["cohort"]["arms"]
    assert len(set(ARMS.values())) == len(ARMS)


@pytest.mark.parametrize("size", SIZES)
def test_simulated_arms_are_arms_a_sheet_may_name(defaults, size):
    config = yaml.safe_load((ROOT / f"config/{'config' if size == 'demo' else size}.yaml").read_text())
    allowed = config["cohort"].get("arms", defaults["cohort"]["arms"])
    assert set(SIZES[size].patients) <= set(allowed) <= set(defaults["cohort"]["arms"])
    assert set(SIZES[size].patients) <= set(STREAMS)
