import numpy as np
import pytest

from cimlnk.simulate.composition import POPULATIONS, SHARES, content, latent_nk_fraction, latent_shares
from cimlnk.simulate.design import SIZES, patients, samples
from cimlnk.simulate.proteins import KINDS


def share(seed, timepoint, population, arm="CIML", size="demo"):
    at = POPULATIONS.index(population)
    return np.array([latent_shares(seed, p, timepoint)[at] for p in patients(size, seed) if p.arm == arm])


@pytest.mark.parametrize("arm", SHARES)
def test_shares_sum_to_one(arm):
    for timepoint in SHARES[arm]:
        for patient in (p for p in patients("large", 1) if p.arm == arm):
            assert latent_shares(1, patient, timepoint).sum() == pytest.approx(1)


def test_course_after_infusion():
    assert (share(1, "product", "CIML_activated") > 0.7).all()
    assert np.median(share(1, "D7", "proliferating")) > 0.5 and (share(1, "D60", "proliferating") < 0.2).all()
    assert (share(1, "D28", "memory_like") > 3 * share(1, "donor", "memory_like")).all()
    assert (share(1, "D100", "memory_like") < share(1, "D28", "memory_like")).mean() > 0.8
    assert np.median(share(1, "D28", "CD56bright")) > np.median(share(1, "donor", "CD56bright"))


def test_il2_alone_raises_cd56bright_and_not_memory_like():
    before, after = (share(1, t, "CD56bright", "IL2_only") for t in ("pre", "D28"))
    assert (after > 1.5 * before).all()
    assert (share(1, "D28", "memory_like", "IL2_only") < 0.1).all()


def test_adaptive_cells_follow_cmv():
    for patient in patients("demo", 1):
        adaptive = latent_shares(1, patient, "pre")[POPULATIONS.index("adaptive")]
        assert (adaptive > 0.03) == patient.donor_cmv


def test_donor_deviation_lasts():
    # Log-ratios of two mature subsets, pre against D100: the donor's own part (sd 0.3) outweighs the visit's (0.1).
    ratio = [
        np.log(share(seed, t, "CD56dim_CD57") / share(seed, t, "CD56dim_NKG2A"))
        for t in ("pre", "D100")
        for seed in (1, 2)
    ]
    first, second = np.concatenate(ratio[:2]), np.concatenate(ratio[2:])
    assert np.corrcoef(first, second)[0, 1] > 0.6


def test_modalities_share_the_biology_and_not_the_tube():
    demo = patients("demo", 1)
    pairs = [[latent_shares(1, p, "pre", modality=m) for p in demo] for m in ("cytof", "rna")]
    # the activated cells of the product are in no blood
    first, second = np.log(np.delete(pairs, POPULATIONS.index("CIML_activated"), axis=2))
    # Donors differ by .3 and more, handling by .12: the same patient's tubes are alike, and never the same.
    own = np.abs(first - second).mean()
    others = np.abs(first - np.roll(second, 1, axis=0)).mean()
    assert 0.05 < own < 0.5 * others


def test_lineages_are_absent_where_they_are_in_life():
    drawn = {
        s.timepoint: content("demo", 1, s) for s in samples("demo", 1) if s.patient.id == "P1" and s.modality == "cytof"
    }
    assert drawn["D7"].of_class("B") < 0.02 * drawn["D7"].of_class("T") < drawn["pre"].of_class("B")
    assert drawn["product"].of_class("monocyte") < 0.05 * drawn["product"].n_live
    assert {"DC", "ILC", "basophil", "granulocyte"} <= {k for k in KINDS.values() if drawn["pre"].of_class(k)}


def test_files_differ_in_depth():
    nk = [content("demo", 1, s).n_nk for s in samples("demo", 1) if s.modality == "cytof"]
    assert max(nk) > 3 * min(nk)


@pytest.mark.parametrize("size", SIZES)
def test_file_contents_agree_with_the_latent_fraction(size):
    for sample in samples(size, 1):
        held = content(size, 1, sample)
        fraction = latent_nk_fraction(size, 1, sample)
        spread = np.sqrt(fraction * (1 - fraction) / held.n_lymphocytes)
        assert abs(held.n_nk / held.n_lymphocytes - fraction) < 5 * spread
        assert held.total == held.n_live + held.doublets + held.dead + held.debris + held.beads


def test_demo_and_large_have_the_promised_size():
    nk = {
        size: sum(content(size, 1, s).n_nk for s in samples(size, 1) if s.modality == "cytof")
        for size in ("demo", "large")
    }
    assert 150_000 < nk["demo"] < 250_000
    assert nk["large"] >= 1_000_000
