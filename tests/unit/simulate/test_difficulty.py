import numpy as np
import pandas as pd
import pytest

from cimlnk.simulate import design
from cimlnk.simulate.cytof import simulate_sample
from cimlnk.simulate.difficulty import difficulty, discriminant, hand_thresholds, k_means, majority
from cimlnk.simulate.proteins import panel

SAMPLES = ("P1_donor_cytof", "P1_D28_cytof", "P2_pre_cytof", "P2_D7_cytof", "P3_product_cytof", "P3_D100_cytof",
           "C1_pre_cytof", "C1_D28_cytof")  # fmt: skip


@pytest.fixture(scope="module")
def cells():
    """True NK cells of eight files of the demo, half of them of each day's runs."""
    values, truth = [], []
    for name in SAMPLES:
        events, known = simulate_sample("demo", 1, design.sample("demo", 1, name))
        rows = np.flatnonzero(known["class"] == "NK")[:350]
        values.append(np.arcsinh(events.iloc[rows] / 5))
        truth.append(known.iloc[rows])
    clustered = panel().query("cluster == 'yes'")["marker"]
    return pd.concat(values, ignore_index=True)[list(clustered)], pd.concat(truth, ignore_index=True)


def test_simple_methods_are_clearly_worse_than_perfect(cells):
    values, truth = cells
    patient = truth["sample"].str[:2].to_numpy(dtype=object)
    ours = truth["population"].to_numpy(dtype=object)
    table = difficulty(values, truth, patient, ours=ours, modality="cytof", seed=1).set_index("method")["ari"]
    print(f"\n{table.round(3).to_string()}")
    assert table["this pipeline"] == 1.0  # the truth was handed in as ours
    simple = [m for m in table.index if m.startswith(("hand", "k-means", "plain"))]
    assert len(simple) == 3 and (table[simple] < 0.85).all()
    # … and what can be had is more than they have, but not everything: the borders are crowded.
    ceiling = table["linear classifier shown the truth of other patients"]
    assert ceiling > table[simple].max() and ceiling < 0.95


def test_methods_work_where_it_is_easy():
    random = np.random.default_rng(1)
    truth = np.repeat(np.array(["a", "b", "c", "d", "e", "f", "g", "h"], dtype=object), 200)
    centres = 12 * random.standard_normal((8, 10))
    values = np.repeat(centres, 200, axis=0) + random.standard_normal((1600, 10))
    patient = np.tile(np.array(["P1", "P2"], dtype=object), 800)
    assert (majority(k_means(values, 1), truth) == truth).mean() > 0.85  # one pair of centres may be joined
    assert (discriminant(values, truth, patient) == truth).all()


def test_hand_thresholds_without_a_marker_fall_through():
    values = pd.DataFrame({"CD56": [5.0, 3.0], "CD16": [0.5, 4.0]})
    assert hand_thresholds(values).tolist() == ["CD56bright", "CD56dim"]


def test_the_same_seed_gives_the_same_labels(cells):
    values = cells[0].to_numpy(dtype=float)[:1500]
    assert (k_means(values, 3) == k_means(values, 3)).all()
