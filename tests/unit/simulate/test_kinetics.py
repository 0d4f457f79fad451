import numpy as np
import pytest

from cimlnk.simulate.design import patients
from cimlnk.simulate.kinetics import MEASUREMENT_CV, Kinetics, kinetics, kinetics_table, measured

CURVE = Kinetics(
    baseline_per_ul=20.0, nadir_fold=0.5, peak_fold=32.0, peak_day=12.0, half_life_days=7.0, plateau_fold=4.0,
    boost_fold=1.0, other_per_ul=200.0,
)  # fmt: skip


def test_curve_passes_through_its_parameters():
    assert CURVE.nk_per_ul(-7) == 20.0
    assert CURVE.nk_per_ul(0) == pytest.approx(10.0)
    assert CURVE.nk_per_ul(12) == pytest.approx(640.0)
    assert CURVE.doubling_time_days == pytest.approx(2.0)  # 0.5 to 32 is six doublings in 12 days
    assert CURVE.nk_per_ul(6) / CURVE.nk_per_ul(4) == pytest.approx(2.0)
    # One half-life after the peak, half of what exceeds the plateau is left.
    assert CURVE.nk_per_ul(19) == pytest.approx(20 * (4 + 14))
    assert CURVE.nk_per_ul(2000) == pytest.approx(80.0)


def test_lymphodepletion_takes_t_and_b_cells_and_spares_controls():
    others = CURVE.lymphocytes_per_ul(7, conditioned=True) - CURVE.nk_per_ul(7)
    assert others < 0.4 * CURVE.other_per_ul
    assert CURVE.lymphocytes_per_ul(7, conditioned=False) - CURVE.nk_per_ul(7) == pytest.approx(200.0)
    assert CURVE.lymphocytes_per_ul(-7, conditioned=True) == pytest.approx(220.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_arms_keep_to_their_ranges(seed):
    table = kinetics_table("large", seed).set_index("patient")
    by_arm = dict(iter(table.groupby("arm")))
    assert table["baseline_per_ul"].between(10, 60).all()
    ciml = by_arm["CIML"]
    assert ciml["peak_fold"].between(10, 50).all() and ciml["peak_fold"].max() > 2 * ciml["peak_fold"].min()
    assert ciml["peak_day"].between(7, 14).all() and ciml["half_life_days"].between(5, 10).all()
    assert ciml["plateau_fold"].between(2, 8).all()
    assert by_arm["IL2_only"]["peak_fold"].between(1.5, 3).all()
    curves = kinetics("large", seed)
    for patient in patients("large", seed):
        if patient.arm == "nonpersister":
            fold = [curves[patient.id].nk_per_ul(d) / curves[patient.id].baseline_per_ul for d in (7, 60)]
            assert fold[0] > 5 and fold[1] < 1


def test_boost_raises_only_what_follows_it():
    boosted = Kinetics(20, 0.5, 32, 12, 7, 4, 1.25, 200)
    assert boosted.nk_per_ul(28) == CURVE.nk_per_ul(28)
    assert boosted.nk_per_ul(180) == pytest.approx(1.25 * CURVE.nk_per_ul(180), rel=1e-3)


def test_measurement_noise_has_no_bias_and_the_stated_spread():
    patient = patients("demo", 1)[0]
    readings = np.array([measured(seed, patient, 7, what="nk", value=1000.0) for seed in range(2000)])
    # Standard error of the mean: 0.15 / sqrt(2000) = 0.34 %; of the CV: 0.15 / sqrt(4000) = 0.0024. Four of each.
    assert readings.mean() == pytest.approx(1000, rel=0.0134)
    assert readings.std() / readings.mean() == pytest.approx(MEASUREMENT_CV, abs=0.01)
