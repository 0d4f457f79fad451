"""Aliasing against the rank of the design matrix, and verdicts for designs whose answer is known."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimlnk.cohort.design import aliasing, confounding


def cohort(rows, modality="cytof"):
    """Rows of (patient, day, arm, batch); the time point is named after the day."""
    table = pd.DataFrame(rows, columns=["patient", "day", "arm", "batch"])
    return table.assign(
        sample=[f"s{i}" for i in range(len(table))],
        timepoint=[f"D{d}" for d in table["day"]],
        tissue_or_product="blood",
        modality=modality,
    )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12))
def test_aliased_contrasts_are_the_rank_the_joint_design_lacks(pairs):
    batch, factor = zip(*pairs, strict=True)
    found = aliasing(batch, factor)
    one = np.ones((len(pairs), 1))
    b = pd.get_dummies(pd.Series(batch)).to_numpy(float)
    f = pd.get_dummies(pd.Series(factor)).to_numpy(float)

    def rank(*blocks):
        return np.linalg.matrix_rank(np.hstack([one, *blocks]))

    assert found["aliased"] == rank(b) + rank(f) - 1 - rank(b, f)
    assert found["free"] == rank(b, f) - rank(b)


def test_batch_equal_to_time_is_confounded_and_refused():
    design = confounding(cohort([(p, d, "CIML", f"run{d}") for p in "abc" for d in (0, 7, 28)]))["cytof"]
    assert design["verdict"] == "confounded"
    assert design["harmony_on_batch"]["verdict"] == "refused"
    assert "time point" in design["harmony_on_batch"]["why"]
    assert (
        design["factors"]["timepoint"] | {"aliased": 2, "free": 0, "cramers_v": 1.0} == design["factors"]["timepoint"]
    )
    assert design["factors"]["patient"]["aliased"] == 0


def test_all_times_of_a_patient_in_one_batch_is_allowed_but_patients_are_told():
    design = confounding(cohort([(p, d, "CIML", f"run_{p}") for p in "abc" for d in (0, 7)]))["cytof"]
    assert design["verdict"] == "separable"
    assert design["harmony_on_batch"]["verdict"] == "allowed"
    assert "2 contrasts between patients" in design["harmony_on_batch"]["why"]


def test_one_time_point_in_a_batch_of_its_own_is_partly_confounded():
    rows = [(p, d, "CIML", "run1" if d < 28 else "run2") for p in "ab" for d in (0, 7, 28)]
    design = confounding(cohort(rows))["cytof"]
    assert design["verdict"] == "partly confounded"
    assert "(D0 and D7 in run1 | D28 in run2): a difference between those may be one of batches" in design["words"]
    assert design["factors"]["timepoint"]["aliased"] == 1 and design["factors"]["timepoint"]["free"] == 1
    assert "run2: D28" in design["factors"]["timepoint"]["words"]


def test_arms_in_batches_of_their_own_are_refused_though_time_is_balanced():
    rows = [("a", d, "CIML", "r1") for d in (0, 7)] + [("b", d, "IL2_only", "r2") for d in (0, 7)]
    design = confounding(cohort(rows))["cytof"]
    assert design["factors"]["timepoint"]["aliased"] == 0
    assert design["verdict"] == "confounded" and "arm" in design["words"]
    assert design["harmony_on_batch"]["verdict"] == "refused"


def test_one_batch_has_nothing_to_correct():
    design = confounding(cohort([("a", 0, "CIML", "r"), ("a", 7, "CIML", "r")]))["cytof"]
    assert design["verdict"] == "one batch"
    assert design["harmony_on_batch"]["verdict"] == design["anchors"]["verdict"] == "refused"


def test_modalities_are_judged_apart():
    good = cohort([("a", 0, "CIML", "r1"), ("a", 7, "CIML", "r1"), ("b", 0, "CIML", "r2"), ("b", 7, "CIML", "r2")])
    bad = cohort([("a", 0, "CIML", "c1"), ("a", 7, "CIML", "c2")], "rna")
    design = confounding(pd.concat([good, bad]))
    assert {m: d["verdict"] for m, d in design.items()} == {"cytof": "separable", "rna": "confounded"}


def test_repeated_material_is_an_anchor_where_time_is_confounded():
    rows = [("a", 0, "CIML", "r1"), ("a", 7, "CIML", "r2"), ("ref", 0, "CIML", "r1"), ("ref", 0, "CIML", "r2")]
    anchors = confounding(cohort(rows))["cytof"]["anchors"]
    assert anchors["verdict"] == "allowed"
    assert anchors["groups"] == {"ref / D0 / blood": ["r1", "r2"]}


def test_an_anchor_column_decides_and_a_batch_without_anchor_is_named():
    table = cohort([("a", 0, "CIML", "r1"), ("a", 0, "CIML", "r2"), ("a", 7, "CIML", "r3")]).assign(
        anchor=["x", "x", None]
    )
    anchors = confounding(table)["cytof"]["anchors"]
    assert anchors["verdict"] == "refused" and "batch r3 has none" in anchors["why"]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]])
def test_the_record_is_json_and_does_not_depend_on_the_order_of_rows(order):
    table = cohort([(p, d, "CIML", f"run{d}") for p in "abc" for d in (0, 7)])
    first, second = confounding(table), confounding(table.iloc[order])
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)
