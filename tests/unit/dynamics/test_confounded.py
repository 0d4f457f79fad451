"""Contrasts that batches could have made are refused, with the reason; those they cannot have made are not."""

import numpy as np
import pandas as pd

from cimlnk.dynamics.contrasts import Contrast, confounded
from cimlnk.dynamics.results import blank_confounded
from cimlnk.dynamics.state.differential import state_tests
from cimlnk.scenarios import tables as situations

D7 = Contrast("CIML", "D7", "pre")
BETWEEN = Contrast("CIML", "D7", "pre", "IL2_only")


def sheet(batch, arms=("CIML",), n=4):
    rows = [
        {"sample": f"{arm}{i}{t}", "patient": f"{arm}{i}", "arm": arm, "timepoint": t, "day": d, "batch": batch(i, t)}
        for arm in arms
        for i in range(n)
        for t, d in (("pre", -7), ("D7", 7))
    ]
    return pd.DataFrame(rows).assign(tissue_or_product="blood", modality="cytof")


def test_a_run_for_every_time_point_is_refused():
    samples = sheet(lambda i, t: t)
    assert "confounded: D7 and pre" in confounded(samples, D7)
    # two runs a time point are no better
    assert confounded(sheet(lambda i, t: f"{t}{i % 2}"), D7)


def test_what_batches_cannot_have_made_is_not_refused():
    assert confounded(sheet(lambda i, t: "one"), D7) is None
    assert confounded(sheet(lambda i, t: "one").drop(columns="batch"), D7) is None
    assert confounded(sheet(lambda i, t: i), D7) is None  # patients nested in batches
    assert confounded(sheet(lambda i, t: (i + (t == "D7")) % 2), D7) is None  # crossed
    assert confounded(sheet(lambda i, t: "one" if i == 0 else t), D7) is None  # one patient links them


def test_arms_measured_side_by_side_can_be_compared_where_neither_alone_can():
    samples = sheet(lambda i, t: t, arms=("CIML", "IL2_only"))
    assert confounded(samples, D7) and confounded(samples, BETWEEN) is None


def test_reference_material_links_batches():
    samples = sheet(lambda i, t: t)
    anchors = pd.DataFrame(
        {"sample": ["a1", "a2"], "patient": "ref", "arm": "none", "timepoint": "pre", "batch": ["pre", "D7"]}
    ).assign(anchor="tube 7", day=-7, tissue_or_product="blood", modality="cytof")
    assert confounded(pd.concat([samples, anchors], ignore_index=True), D7) is None


def test_tests_of_shares_and_states_have_no_number_where_batch_is_time():
    c = situations.cohort(4, 1, batches="time")
    table = situations.tested(c, 1)
    of_files = table[table["population"] != "NK"]
    assert of_files["p"].isna().all() and of_files["effect"].isna().all()
    assert of_files["reason"].str.contains("confounded").all() and not of_files["converged"].any()
    # counts of blood are made by no batch
    assert table.loc[table["population"] == "NK", "p"].notna().any()
    samples = sheet(lambda i, t: t)
    state = samples[["sample"]].assign(
        population="NK", feature="CD69", n_cells=500, median=np.arange(8.0), mean=0.0, fraction_positive=0.5
    )
    found = state_tests(state, samples, modality="cytof", baselines=["pre"])
    assert len(found) and found["p"].isna().all() and found["reason"].str.contains("confounded").all()


def test_rows_of_other_contrasts_keep_their_numbers():
    table = pd.DataFrame({"contrast": [D7.name, "other"], "p": 0.01, "effect": 1.0, "converged": True, "reason": None})
    found = blank_confounded(table, sheet(lambda i, t: t), [D7])
    assert np.isnan(found.loc[0, "p"]) and found.loc[1, "p"] == 0.01 and table.loc[0, "p"] == 0.01
