"""Names of added cells: kinds that were there keep their name, a new kind gets its own, large cohorts are sampled."""

import numpy as np
import pandas as pd
import pytest

from cimlnk.cohort.config import resolve
from cimlnk.common.home import HOME
from cimlnk.front import voices
from cimlnk.front.voices import hear, worth_hearing
from cimlnk.populations.definitions_file import load_definitions

MARKERS = ["CD56", "CD16", "NKG2A", "CD57"]
KINDS = {"CD56dim_NKG2A": [3, 4, 4, 0], "CD56dim_CD57": [3, 4, 0, 4], "CD56bright": [6.5, 0, 4, 0]}


def cells(rng, *kinds, n=150):
    centre = np.repeat([KINDS[k] for k in kinds], n, axis=0)
    return (centre + rng.normal(0, 0.25, centre.shape)).astype(np.float32), np.repeat(np.array(kinds, object), n)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sheet")
    (folder / "s.tsv").write_text("sample\n")
    return resolve({"cohort": {"id": "early", "samples": str(folder / "s.tsv")}}, folder)["graph"]


def heard(settings, known, names, new, first):
    both = np.concatenate([known, new])
    cuts = pd.DataFrame({"feature": MARKERS, "batch": "b", "threshold": 2.0, "low": 1.9, "high": 2.1,
                         "method": "valley", "reason": None})  # fmt: skip
    return hear(
        known, names, new, first=first, values=both, features=MARKERS, batch=np.full(len(both), "b"),
        thresholds=cuts, resolution=0.5, settings=settings, seed=1, threads=1,
        definitions=load_definitions(HOME / "resources/phenotypes/nk.yaml", infused=False),
    )  # fmt: skip


def test_a_kind_that_was_not_there_gets_the_name_that_its_own_cells_say(settings):
    rng = np.random.default_rng(1)
    known, names = cells(rng, "CD56dim_NKG2A", "CD56bright")
    new, truth = cells(rng, "CD56dim_CD57", "CD56bright", n=100)
    found = heard(settings, known, names, new, np.repeat(np.array(["CD56dim_NKG2A", "CD56bright"], object), 100))
    assert (found.population == truth).mean() > 0.97
    assert found.otherwise < 0.03 and found.apart < 0.03
    assert found.share[truth == "CD56bright"].mean() > 0.97 and found.share[:100].mean() < 0.8


def test_earlier_names_that_the_cells_do_not_bear_out_are_told(settings):
    known, names = cells(np.random.default_rng(2), "CD56dim_NKG2A", "CD56bright")
    found = heard(settings, known, np.where(names == "CD56bright", "CD56dim", names), known[:50], names[:50])
    assert 0.45 < found.otherwise < 0.55 and found.apart < 0.03


def test_cells_outside_of_the_sample_are_named_by_those_inside(settings, monkeypatch):
    monkeypatch.setattr(voices, "SUBSET", 400)
    rng = np.random.default_rng(3)
    known, names = cells(rng, "CD56dim_NKG2A", "CD56bright", n=400)
    new, truth = cells(rng, "CD56dim_CD57", n=200)
    found = heard(settings, known, names, new, np.full(200, "CD56dim_NKG2A", object))
    assert (found.population == truth).mean() > 0.97


def test_a_large_run_with_few_new_cells_is_not_clustered_again():
    assert worth_hearing(3_000, 100) and worth_hearing(200_000, 60_000) and not worth_hearing(188_000, 22_000)
