"""The tables of this stage against the planted truth of synthetic cohorts, with perfect gates and labels."""

import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.differential import abundance_tests
from cimlnk.dynamics.abundance.folds import make_folds
from cimlnk.dynamics.abundance.shares import make_abundance
from cimlnk.dynamics.kinetics.summary import make_kinetics
from cimlnk.simulate import design, truth
from cimlnk.simulate.composition import POPULATIONS, content
from cimlnk.simulate.kinetics import kinetics_table
from cimlnk.simulate.sheets import sheets

UNCERTAINTY = {"count_cv": 0.15, "fraction_overdispersion": 0.0005, "label_correlation": 0.01}
FEW_CELLS = {"min_nk": 20, "min_lymphocytes": 50, "min_baseline": 5}
SETTINGS = {"min_days": 4, "censor_events": ["boost"], "pooling": True, "draws": 1000}


def inputs(size: str, seed: int):
    """POPULATIONS and SUMMARY that a perfect analysis of the files would write, and the sheets."""
    populations, summaries = {}, {}
    for modality in ("cytof", "rna"):
        cells, rows = [], []
        for sample in design.samples(size, seed):
            if sample.modality != modality:
                continue
            held = content(size, seed, sample)
            names = np.repeat(list(POPULATIONS), held.nk)
            cells.append(pd.DataFrame({"sample": sample.id, "population": names, "confidence": 1.0}))
            rows.append((sample.id, float(held.n_lymphocytes), held.n_nk, np.nan, np.nan, False, None))
        populations[modality] = pd.concat(cells, ignore_index=True)
        summaries[modality] = pd.DataFrame(
            rows, columns=["sample", "n_lymphocytes", "n_nk", "n_nk_low", "n_nk_high", "left_out", "reason"]
        )
    tables = sheets(size, seed)
    tables["counts"]["event"] = tables["counts"]["event"].replace("", None)
    return populations, summaries, tables


def counted(populations, summaries, tables):
    """ABUNDANCE by the sheets and the settings of a run."""
    sheets_of = {"counts": tables["counts"], "patients": tables["patients"]}
    return make_abundance(
        populations, summaries, tables["samples"], **sheets_of, uncertainty=UNCERTAINTY, few_cells=FEW_CELLS
    )


@pytest.fixture(scope="module")
def demo():
    populations, summaries, tables = inputs("demo", 1)
    abundance = counted(populations, summaries, tables)
    return abundance, make_folds(abundance, "pre"), tables


def test_fractions_counts_and_folds_equal_those_of_the_files(demo):
    abundance, folds, _ = demo
    planted = truth.abundance("demo", 1)
    key = ["modality", "sample", "population"]
    both = abundance[abundance["sample"].notna()].merge(planted, on=key, suffixes=("", "_true"))
    assert len(both) == (planted["modality"] != "counts").sum()
    np.testing.assert_allclose(both["fraction"], both["fraction_true"], rtol=1e-12)
    np.testing.assert_allclose(both["cells_per_ul"], both["cells_per_ul_true"], rtol=1e-9)
    key = ["modality", "patient", "population", "day"]
    blood = planted[planted["tissue_or_product"] == "blood"]
    both = folds.merge(blood, on=key)
    few = both["fold_change"].isna() & both["fold"].notna()
    assert few.mean() < 0.05 and both.loc[few, "reason"].str.contains("cells").all()
    np.testing.assert_allclose(both.loc[~few, "fold_change"], both.loc[~few, "fold"], rtol=1e-9)


def test_intervals_of_cells_per_ul_hold_the_latent_value(demo):
    abundance, _, _ = demo
    planted = truth.abundance("demo", 1)
    both = abundance.merge(planted, on=["modality", "sample", "population"], suffixes=("", "_true"))
    both = both[both["cells_per_ul"].notna() & (both["fraction_latent"] >= 0.01)]
    held = (both["cells_per_ul_low"] <= both["cells_per_ul_latent"]) & (
        both["cells_per_ul_latent"] <= both["cells_per_ul_high"]
    )
    # one count's error is shared by all populations of a day: about 60 independent days, standard error 0.03
    assert 0.87 <= held.mean() <= 1.0


@pytest.mark.slow
def test_kinetics_find_the_planted_curves_of_several_cohorts():
    scores = []
    for seed in (1, 2, 3):
        populations, summaries, tables = inputs("demo", seed)
        own = {m: p for m, p in populations.items() if m == "cytof"}
        abundance = counted(own, summaries, tables)
        nk = abundance[abundance["population"] == "NK"]
        fitted, _ = make_kinetics(
            nk, make_folds(nk, "pre"), tables["counts"], baseline_timepoint="pre", settings=SETTINGS, seed=seed
        )
        both = fitted.merge(kinetics_table("demo", seed), on="patient", suffixes=("", "_true"))
        scores.append(both[both["arm"] == "CIML"])
    table = pd.concat(scores)
    stated = table[table["half_life_high"].notna()]
    doubling = (table["doubling_low"] <= table["doubling_time_days_true"]) & (
        table["doubling_time_days_true"] <= table["doubling_high"]
    )
    half_life = (stated["half_life_low"] <= stated["half_life_days_true"]) & (
        stated["half_life_days_true"] <= stated["half_life_high"]
    )
    # 18 patients: 0.9 coverage allows two misses with probability 0.73, four with 0.97
    assert doubling.mean() >= 0.8 and half_life.mean() >= 0.8
    # sampling interval about the peak: three to four days
    assert (np.abs(table["model_peak_day"] - table["peak_day_true"]) <= 4).mean() >= 0.9


@pytest.mark.slow
def test_peak_of_every_population_is_that_of_the_counts_as_measured(demo):
    abundance, folds, tables = demo
    fitted, _ = make_kinetics(
        abundance, folds, tables["counts"], baseline_timepoint="pre", settings={**SETTINGS, "min_days": 99}, seed=1
    )
    planted = truth.abundance("demo", 1)
    after = planted[(planted["day"] > 0) & (planted["tissue_or_product"] == "blood") & planted["fold"].notna()]
    after = after[after["population"] != "NK"]
    top = after.loc[after.groupby(["modality", "patient", "population"])["fold"].idxmax()]
    both = fitted.merge(top, on=["modality", "patient", "population"], suffixes=("", "_true"))
    assert len(both) > 80
    few = both["peak_fold"].isna()  # too few cells at the baseline for any fold
    assert few.mean() < 0.05
    np.testing.assert_allclose(both.loc[~few, "peak_fold"], both.loc[~few, "fold"], rtol=1e-9)
    assert (both.loc[~few, "peak_day"] == both.loc[~few, "day"]).all()


@pytest.mark.slow
def test_memory_like_cells_are_found_to_rise_more_in_the_infused_arm(demo):
    abundance, _, tables = demo
    tests = abundance_tests(
        abundance, tables["samples"], tables["patients"], baseline="pre", reference_arm="IL2_only"
    ).set_index(["modality", "test", "population", "contrast"])
    row = tests.loc[("cytof", "abundance", "memory_like", "CIML vs IL2_only: D28 vs pre")]
    assert row["effect_low"] > 1.0 and row["fdr"] < 0.05
