import numpy as np
import pandas as pd
import pytest

from cimlnk.common.tables import read_table, write_table
from cimlnk.dynamics.release.decision import release_table, write_release
from cimlnk.dynamics.release.tables import RELEASE
from cimlnk.simulate.sheets import sheets

SAMPLES = pd.DataFrame(
    [("L1_product", "L1", "product", "cytof"), ("L2_product", "L2", "product", "cytof"),
     ("L1_pre", "L1", "blood", "cytof"), ("L1_product_rna", "L1", "product", "rna")],
    columns=["sample", "patient", "tissue_or_product", "modality"],
).assign(arm="no_cytokine")  # fmt: skip
NOTHING = pd.DataFrame(columns=["sample", "readout", "target", "effector_target", "value", "unit"])


def summary(**nk):
    rows = [(s, 1000.0, float(n), np.nan, np.nan, False, None) for s, n in nk.items()]
    return pd.DataFrame(
        rows, columns=["sample", "n_live_singlets", "n_nk", "n_nk_low", "n_nk_high", "left_out", "reason"]
    )


def decided(found, functional=NOTHING, bound=0.8):
    return release_table(SAMPLES, found, functional, bound=bound).set_index("sample")


def test_every_product_with_a_file_is_decided_by_its_own_purity():
    table = decided(summary(L1_product=930, L2_product=700, L1_pre=100))
    assert table.index.tolist() == ["L1_product", "L2_product"]
    assert table["decision"].tolist() == ["released", "not released"]
    assert table["purity"].tolist() == [0.93, 0.7] and table["reason"].isna().all()
    assert decided(summary(L1_product=930, L2_product=930), bound=0.95)["decision"].tolist() == ["not released"] * 2


@pytest.mark.parametrize("n", [790, 800, 815])
def test_a_purity_at_the_bound_is_borderline_and_says_so(n):
    # 95 % of 1,000 events reach 2.5 points
    row = decided(summary(L1_product=n, L2_product=930)).loc["L1_product"]
    assert row["decision"] == "borderline" and "hold the bound of 80%" in row["reason"]
    assert row["purity_low"] < 0.8 <= row["purity_high"]


def test_the_range_of_the_gates_widens_the_limits():
    found = summary(L1_product=900, L2_product=930).assign(n_nk_low=[700.0, 920.0], n_nk_high=[950.0, 940.0])
    assert decided(found)["decision"].tolist() == ["borderline", "released"]


def test_without_a_file_there_is_no_decision():
    left_out = summary(L1_product=930, L2_product=930)
    left_out["left_out"], left_out["reason"] = [True, False], ["no live event", None]
    table = decided(left_out)
    assert table.loc["L1_product", "decision"] == "not decided" and "no live event" in table.loc["L1_product", "reason"]
    assert decided(summary(L1_product=930)).loc["L2_product", "reason"] == "the product's file was not analysed"
    assert decided(summary(L1_product=930)).loc["L2_product", "purity_low"] is not None
    assert release_table(SAMPLES[2:3], summary(L1_pre=1), NOTHING, bound=0.8).empty


@pytest.mark.parametrize("nobody", ["none", "Alone ", None])  # the sheets' reader makes an empty cell of "none"
def test_readings_are_means_of_the_best_ratio_with_targets(nobody):
    given = pd.DataFrame(
        [("L1_product", "killing", "K562", 1.0, 20.0, "percent"),
         ("L1_product", "Killing", "K562", 10.0, 60.0, "percent"),
         ("L1_product", "killing", "K562", 10.0, 70.0, "percent"),
         ("L1_product", "killing", nobody, 10.0, 99.0, "percent"),
         ("L1_product", "IFN-g", "K562", np.nan, 30.0, "pg/mL"), ("L1_product", "IFN-g", nobody, np.nan, 5.0, "pg/mL")],
        columns=list(NOTHING.columns),
    )  # fmt: skip
    row = decided(summary(L1_product=930, L2_product=930), given).loc["L1_product"]
    assert (row["best_killing"], row["best_ratio"], row["n_killing"]) == (65.0, 10.0, 3)
    assert (row["ifn_g"], row["ifn_g_alone"]) == (30.0, 5.0) and np.isnan(row["tnf_a"])


def test_without_any_named_target_readings_are_those_with_targets():
    given = pd.DataFrame([("L1_product", "IFN-g", None, np.nan, 30.0, "pg/mL")], columns=list(NOTHING.columns))
    row = decided(summary(L1_product=930, L2_product=930), given).loc["L1_product"]
    assert row["ifn_g"] == 30.0 and np.isnan(row["ifn_g_alone"])
    killing = pd.DataFrame([("L1_product", "killing", "K562", 10.0, 60.0, "percent")], columns=list(NOTHING.columns))
    row = decided(summary(L1_product=930, L2_product=930), pd.concat([killing, given])).loc["L1_product"]
    assert row["ifn_g"] == 30.0 and np.isnan(row["ifn_g_alone"]) and row["best_killing"] == 60.0


def test_the_lymphoma_cohort_has_what_its_trial_published(tmp_path):
    tables = sheets("lymphoma", 1)
    assert len(tables["patients"]) == 8 and tables["patients"]["response"].value_counts().to_dict() == {
        "CR": 7,
        "SD": 1,
    }
    assert (tables["patients"]["dose_per_kg"] == 1e7).all() and (tables["patients"]["il2_received"] == 0).all()
    assert tables["counts"]["il2_dose"].isna().all()
    readings = tables["functional"]
    killing = readings[readings["readout"] == "killing"].groupby("effector_target")["value"].mean()
    assert killing.idxmax() == 10 and killing.is_monotonic_increasing
    mean = readings[readings["target"] == "K562"].groupby("readout")["value"].mean()
    # eight donors of 15 % each: a standard error of 6 %
    assert mean["IFN-g"] == pytest.approx(29.33, rel=0.2) and mean["TNF-a"] == pytest.approx(78.5, rel=0.2)
    places = {name: tmp_path / f"{name}.parquet" for name in ("samples", "summary", "functional")}
    products = [s for s in tables["samples"]["sample"] if "product" in s]
    tables["samples"].to_parquet(places["samples"])
    summary(**dict.fromkeys(products, 900)).to_parquet(places["summary"])
    tables["functional"].to_parquet(places["functional"])
    write_release(**places, bound=0.8, output=tmp_path / "release.parquet")
    release = read_table(tmp_path / "release.parquet", RELEASE)
    assert (release["decision"] == "released").all() and len(release) == 8


def test_an_empty_table_can_be_written(tmp_path):
    write_table(RELEASE.empty(), tmp_path / "r.parquet", RELEASE)
    assert read_table(tmp_path / "r.parquet", RELEASE).empty
