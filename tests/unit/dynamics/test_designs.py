import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.dynamics.designs import covariates, make_design
from cimlnk.stats.separation import is_separated


def cohort(arms=("CIML", "IL2"), days=((-7, "pre"), (7, "D7"), (28, "D28")), n=3):
    rows = [(f"{arm}{i}", arm, label, day) for arm in arms for i in range(n) for day, label in days]
    return pd.DataFrame(rows, columns=["patient", "arm", "timepoint", "day"])


def effect_of(design, name, means):
    """Apply a contrast to the least-squares fit of exact cell means."""
    question = next(q for q in design.questions if q.contrast.name == name)
    beta = np.linalg.lstsq(design.matrix, means, rcond=None)[0]
    return question.weights @ beta


def test_contrasts_pick_out_cell_means_and_their_interaction():
    table = cohort()
    means = table["arm"].map({"CIML": 0.0, "IL2": 5.0}) + table["timepoint"].map({"pre": 1.0, "D7": 3.0, "D28": 2.0})
    means += ((table["arm"] == "CIML") & (table["timepoint"] == "D7")) * 10.0
    design = make_design(table, "auto", "pre", reference_arm="IL2", min_patients=3)
    assert effect_of(design, "CIML: D7 vs pre", means) == pytest.approx(12.0)
    assert effect_of(design, "IL2: D28 vs pre", means) == pytest.approx(1.0)
    assert effect_of(design, "CIML vs IL2: D7 vs pre", means) == pytest.approx(10.0)
    # 18 samples - 6 patients - 4 columns that vary within patients
    assert design.df == 8


def test_missing_cells_drop_columns_but_keep_the_answerable_contrasts():
    table = cohort()
    table = table[~((table["arm"] == "IL2") & (table["timepoint"] == "D28"))]
    design = make_design(table, "auto", "pre", reference_arm="IL2", min_patients=3)
    assert np.linalg.matrix_rank(design.matrix) == design.matrix.shape[1] == 5
    names = {q.contrast.name: q.weights is not None for q in design.questions}
    assert names["CIML: D28 vs pre"] and "IL2: D28 vs pre" not in names and "CIML vs IL2: D28 vs pre" not in names


def test_aliased_covariate_is_named_not_guessed():
    table = cohort(arms=("CIML",))
    table["batch"] = table["timepoint"]  # measured batch by batch in time order
    design = make_design(table, "batch + timepoint", "pre", reference_arm=None, min_patients=3)
    question = design.questions[0]
    assert question.weights is None and "aliased" in question.reason


def test_too_few_patients_and_absent_terms_have_reasons():
    few = make_design(cohort(n=2), "auto", "pre", reference_arm=None, min_patients=3)
    assert all("2 patients have both time points" in q.reason for q in few.questions)
    absent = make_design(cohort(), "arm", "pre", reference_arm=None, min_patients=3)
    assert all(q.reason == "the formula has no term for this contrast" for q in absent.questions)


def test_covariates_come_from_the_patients_sheet_and_cancel():
    table = covariates(cohort(), pd.DataFrame({"patient": [f"{a}{i}" for a in ("CIML", "IL2") for i in range(3)],
                                               "arm": "x", "cmv": list("ynynyn")}))  # fmt: skip
    design = make_design(table, "arm * timepoint + cmv", "pre", reference_arm=None, min_patients=3)
    assert set(table["arm"]) == {"CIML", "IL2"} and design.matrix.shape[1] == 7
    weights = design.questions[0].weights
    assert weights is not None and weights[[i for i, c in enumerate(design.columns) if "cmv" in c][0]] == pytest.approx(
        0.0, abs=1e-12
    )


@pytest.mark.parametrize("formula", ["arm * timepont", "arm +* timepoint"])
def test_a_formula_that_cannot_be_read_is_a_user_error(formula):
    with pytest.raises(UserError, match="dynamics.tests.formula"):
        make_design(cohort(), formula, "pre", reference_arm=None, min_patients=3)


def test_separation_is_seen_only_in_the_contrast_that_has_it():
    design = make_design(cohort(arms=("CIML",)), "auto", "pre", reference_arm=None, min_patients=3)
    n = np.full(9, 100.0)
    y = np.array([5.0, 0, 9] * 3)  # never seen on day 7
    weights = {q.contrast.timepoint: q.weights for q in design.questions}
    assert is_separated(y, n, design.matrix, weights=weights["D7"]) and not is_separated(
        y, n, design.matrix, weights=weights["D28"]
    )
    y[1] = 1.0
    assert not is_separated(y, n, design.matrix, weights=weights["D7"])
