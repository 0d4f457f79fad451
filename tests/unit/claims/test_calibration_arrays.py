"""The calibration's way round the tables comes to the verdicts that tables give."""

from pathlib import Path

import numpy as np
import pytest

from calibration.claim_arrays import BY_TABLES, questions, supported
from calibration.claim_cohorts import NOISY, USUAL, cohort
from calibration.claim_tables import tables
from cimlnk.claims.evaluate import evaluate, load_claims
from cimlnk.claims.evidence import FINDING, Arms, Evidence

ROOT = Path(__file__).resolve().parents[3]
CLAIMS = {k: v for k, v in load_claims(ROOT / "seeds/claims.yaml").items() if v["kind"] == FINDING}
EXACT = {k: v for k, v in CLAIMS.items() if "p" in v["bounds"]}


@pytest.mark.parametrize("n", [5, 6])
def test_arrays_and_tables_agree(n):
    asked = questions(CLAIMS, n, 1)
    assert set(asked) | {"C10"} == set(CLAIMS)
    options = [{"effect": e, "noise": NOISY if i else USUAL, "rna": False} for e in (True, False) for i in range(2)]
    made = [cohort(n, np.random.default_rng([n, i]), **o) for i, o in enumerate(options)]
    fast = supported(asked, made, seed=1, draws=40)
    for i, o in enumerate(options):
        whole = tables(n, np.random.default_rng([n, i]), **o)
        found = evaluate(EXACT, Evidence(whole, Arms(), 1, draws=0)).set_index("claim")["verdict"]
        told = {c: bool(fast[c][0][i]) for c in EXACT if c not in BY_TABLES}
        assert told == {c: found[c] == "supported" for c in told}
