"""What is told of a sample's measurement: lost signal and exchanged antibodies, and nothing of a good sample."""

import numpy as np
import pytest

from cimlnk.front.shift import Profiles, shifts

MARKERS = ["CD3", "CD19", "CD56", "NKG2A", "CD45"]
# lineage -> level of every marker, arcsinh scale
LEVELS = {"T": [5, 0, 0, 0.2, 6], "B": [0, 4.5, 0, 0, 6], "monocyte": [0, 0, 0, 0, 5], "NK": [0, 0, 4, 2.5, 6]}


def write(path, change, *, samples=8, n=60):
    """Samples that differ by a tenth in every marker; `change` is done to the last one."""
    rng, values, sample, lineage = np.random.default_rng(4), [], [], []
    for i in range(samples):
        own = rng.normal(0, 0.1, len(MARKERS))
        for j, levels in enumerate(LEVELS.values()):
            x = np.array(levels) + (np.array(levels) > 0) * own + rng.normal(0, 0.5, (n, len(MARKERS)))
            values.append(change(x) if i == samples - 1 else x)
            sample += [i] * n
            lineage += [j] * n
    np.savez(
        path, values=np.concatenate(values).astype(np.float32), markers=np.array(MARKERS), sample=np.array(sample),
        samples=np.array([f"s{i}" for i in range(samples)]), lineages=np.array(list(LEVELS)),
        lineage=np.array(lineage), confidence=np.ones(len(sample), np.float32),
    )  # fmt: skip
    return Profiles.read(path)


def told(tmp_path, change, kinds=None):
    profiles = write(tmp_path / "lineages.npz", change)
    return shifts(profiles, ["s7"], kinds or dict.fromkeys(profiles.samples, False))["s7"]


@pytest.mark.parametrize("fold", [2.0, 0.5])
def test_a_sample_at_half_or_double_its_signal_is_strange(tmp_path, fold):
    found = told(tmp_path, lambda x: np.arcsinh(np.sinh(x) * fold))
    assert found.signal == pytest.approx(fold, rel=0.2) and "its signal" in found.strange[0]


@pytest.mark.parametrize("pair", [("CD56", "NKG2A"), ("CD3", "CD19")])
def test_exchanged_antibodies_are_named(tmp_path, pair):
    columns = list(range(len(MARKERS)))
    a, b = (MARKERS.index(m) for m in pair)
    columns[a], columns[b] = b, a
    assert told(tmp_path, lambda x: x[:, columns]).swapped == pair


def test_a_good_sample_is_not_strange(tmp_path):
    found = told(tmp_path, lambda x: x)
    assert found.strange == [] and found.reason is None and 0.2 < found.unlike < 1.5


def test_cells_of_another_laboratory_are_unlike_though_their_signal_is_the_same(tmp_path):
    found = told(tmp_path, lambda x: x + np.array([2, -2, 0, 0, 0]))
    assert found.unlike > 1.5 and "lineages lie" in found.strange[-1]


def test_a_day_of_activated_cells_among_the_earlier_samples_makes_no_room_for_strangers(tmp_path):
    profiles = write(tmp_path / "lineages.npz", lambda x: x + np.array([1.3, -1.3, 1.3, -1.3, 1.3]))
    profiles.values[0, :, MARKERS.index("NKG2A")] += 2.5
    kinds = dict.fromkeys(profiles.samples, False)
    assert shifts(profiles, ["s7"], kinds)["s7"].unlike > 1.5
    good = write(tmp_path / "lineages.npz", lambda x: x)
    good.values[[0, 7], :, MARKERS.index("NKG2A")] += 2.5  # the next day of activated cells is none
    assert shifts(good, ["s7"], kinds)["s7"].unlike < 1.5


def test_a_product_is_not_compared_with_blood(tmp_path):
    kinds = {f"s{i}": i == 7 for i in range(8)}
    found = told(tmp_path, lambda x: x * 2, kinds)
    assert (
        np.isnan(found.signal) and found.strange == [] and found.reason == "0 earlier samples of its kind, fewer than 3"
    )
