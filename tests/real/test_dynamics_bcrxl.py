"""BCR-XL (Bodenmiller 2012): 8 patients, with and without B-cell receptor stimulation; the state test on real cells."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.dynamics.state.differential import state_tests
from cimlnk.populations.state import summarise

DATA = Path(os.environ.get("CIMLNK_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "cytof_bcrxl"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no test data at {DATA} (CIMLNK_TEST_DATA)"),
]
GATE = float(np.arcsinh(10 / 5))  # ten ion counts
UP, DOWN = ["pS6", "pPlcg2", "pErk"], ["pBtk", "pNFkB"]


def populations(x: pd.DataFrame) -> np.ndarray:
    """B cells CD20+ CD3-, NK-like cells CD7+ CD3- CD20- CD33- CD14-, by the same cut for all."""
    name = np.full(len(x), "other", dtype=object)
    name[((x["CD20"] > GATE) & (x["CD3"] <= GATE)).to_numpy()] = "B"
    off = (x[["CD3", "CD20", "CD33", "CD14"]] <= GATE).all(axis=1)
    name[((x["CD7"] > GATE) & off).to_numpy()] = "CD7_NK"
    return name


@pytest.fixture(scope="module")
def tested() -> pd.DataFrame:
    panel = pd.read_csv(DATA / "panel.csv").set_index("fcs_colname")
    sheet = pd.read_csv(DATA / "metadata.csv")
    parts, rows = [], []
    for file, sample, condition, patient in sheet.itertuples(index=False):
        path = DATA / "fcs" / file
        channels = list(read_header(path).channels)
        events = pd.DataFrame(read_events(path), columns=channels)[panel.index.tolist()]
        x = pd.DataFrame(np.arcsinh(events.to_numpy(float) / 5), columns=panel["antigen"])
        name = populations(x)
        keep = name != "other"
        markers = panel.loc[panel["marker_class"] == "state", "antigen"].tolist()
        values = x.loc[keep, markers].to_numpy()
        parts.append(summarise(values, markers, name[keep], cut=np.full(len(markers), GATE), sample=sample))
        rows.append((sample, patient, int(condition == "BCRXL"), condition, "study", "cytof"))
    samples = pd.DataFrame(rows, columns=["sample", "patient", "day", "timepoint", "arm", "modality"])
    return state_tests(pd.concat(parts), samples, modality="cytof", baselines=["Ref"], measures=["median"])


def rows(tested: pd.DataFrame, population: str, method: str) -> pd.DataFrame:
    return tested[(tested["population"] == population) & (tested["method"] == method)].set_index("feature")


@pytest.mark.parametrize(("markers", "sign"), [(UP, 1), (DOWN, -1)], ids=["up", "down"])
def test_b_cell_signalling_is_found_in_all_eight_patients(tested, markers, sign):
    t = rows(tested, "B", "paired_moderated_t").loc[markers]
    assert (t["n_patients"] == 8).all() and (t["fdr"] < 0.05).all()
    assert (np.sign(t["effect_low"]) == sign).all() and (np.sign(t["effect_high"]) == sign).all()
    # p at its floor of 2 / 2^8 means that the shift has the same sign in 8 of 8 patients
    exact = rows(tested, "B", "sign_flip").loc[markers]
    assert exact["p"].to_numpy() == pytest.approx(2 / 256) and exact["p_floor"].to_numpy() == pytest.approx(2 / 256)


def test_nk_cells_have_no_b_cell_receptor_and_hardly_move(tested):
    t = rows(tested, "CD7_NK", "paired_moderated_t").loc["pS6"]
    assert abs(t["effect"]) < 0.4
    b = rows(tested, "B", "paired_moderated_t").loc["pS6"]
    assert b["effect"] > 5 * abs(t["effect"])
