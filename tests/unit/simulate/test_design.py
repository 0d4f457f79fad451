import numpy as np
import pandas as pd
import pytest

from cimlnk.simulate.design import BOOST_DAYS, CIML, IL2_DAYS, SIZES, patients, sample, samples


def test_ciml_arm_has_the_quirks_of_the_study():
    arm = [p for p in patients("demo", 1) if p.arm == CIML]
    assert sorted(p.disease for p in arm) == ["AML", "AML", "AML", "BPDCN", "CML blast crisis", "MDS"]
    assert all(5e6 <= p.dose_per_kg <= 1e7 for p in arm)
    assert [p.il2_received for p in arm] == [7, 7, 7, 7, 7, 2]
    assert [p.il2_planned for p in arm] == [7] * 6
    assert sum(p.cmv_viremia for p in arm) == 3
    boosted = [p for p in arm if "stem_cell_boost" in p.events.values()]
    assert len(boosted) == 2 and all(set(BOOST_DAYS) <= set(p.events) for p in boosted)
    assert [p.events.get(7) for p in arm].count("tocilizumab") == 1
    assert len(IL2_DAYS) == 7 and IL2_DAYS[-1] - IL2_DAYS[0] == 12


@pytest.mark.parametrize("size", SIZES)
def test_samples_have_their_own_ids_and_paths(size):
    drawn = samples(size, 1)
    assert len({s.id for s in drawn}) == len({s.path for s in drawn}) == len(drawn)
    assert {s.id for s in drawn} == {sample(size, 1, s.id).id for s in drawn}


@pytest.mark.parametrize("size", SIZES)
def test_no_batch_holds_a_single_arm_or_time_point(size):
    # Otherwise batch and biology could not be distinguished, and no pipeline could recover the truth.
    table = pd.DataFrame(
        [(s.modality, s.batch, s.patient.arm, s.timepoint) for s in samples(size, 1) if s.modality == "cytof"],
        columns=["modality", "batch", "arm", "timepoint"],
    )
    # the lymphoma cohort has one arm: there is nothing to tell apart from the batch
    arms = min(table["arm"].nunique(), 2)
    assert (table.groupby("batch")["arm"].nunique() >= arms).all()
    assert (table.groupby("batch")["timepoint"].nunique() >= min(table["timepoint"].nunique(), 3)).all()


def test_run_order_is_not_the_order_of_time():
    drawn = [s for s in samples("demo", 1) if s.modality == "cytof" and s.patient.arm == CIML]
    correlation = np.corrcoef([s.day for s in drawn], [s.run_position for s in drawn])[0, 1]
    # 48 files in random order: a standard error of 0.15; two of them keep drift out of the time course.
    assert abs(correlation) < 0.3


def test_both_byte_orders_both_10x_forms_and_one_renamed_channel():
    drawn = samples("tiny", 1)
    cytof = [s for s in drawn if s.modality == "cytof"]
    assert {s.big_endian for s in cytof} == {True, False}
    assert sum(s.renamed_channel for s in cytof) == 1
    assert {s.h5 for s in drawn if s.modality == "rna"} == {True, False}


def test_unknown_sample_is_refused():
    with pytest.raises(KeyError, match="P9_D7_cytof"):
        sample("tiny", 1, "P9_D7_cytof")
