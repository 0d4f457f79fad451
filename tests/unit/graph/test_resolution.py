import numpy as np
import pandas as pd
import pytest

from cimlnk.graph import adjusted_rand, choose_resolution, knn, subcluster, weights
from cimlnk.graph.resolution import STABLE_WORD, UNSTABLE_WORD, at_count, decide

FEW = {"resolutions": (0.1, 0.35, 1.0, 2.0), "n_subsamples": 5}


def chosen(X, **options):
    lists = knn(X, 15)
    return choose_resolution(weights(lists), X, order=lists.order, **{**FEW, **options})


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_hierarchy_is_found_at_its_finest_level(make_hierarchy, seed):
    X, subset, lineage = make_hierarchy(seed)
    found = chosen(X, seed=seed)
    assert found.verdict == STABLE_WORD
    assert found.labels.max() + 1 == 12
    # subsets 4.5 sigma from their lineage overlap in a few percent of their cells
    assert adjusted_rand(subset, found.labels) > 0.95 > adjusted_rand(lineage, found.labels)


@pytest.mark.slow
def test_planted_hierarchies_are_right_in_nine_of_ten(make_hierarchy):
    right = 0
    for seed in range(20):
        X, subset, _ = make_hierarchy(seed)
        found = choose_resolution(weights(knn(X, 15)), X, n_subsamples=8, seed=seed)
        right += found.labels.max() + 1 == 12 and adjusted_rand(subset, found.labels) > 0.95
    assert right >= 18


def structureless(kind, n=2000):
    rng = np.random.default_rng(11)
    if kind == "round":
        X = rng.normal(size=(n, 10))
    elif kind == "long":
        X = rng.normal(size=(n, 15)) * (10 * np.arange(1, 16) ** -0.8)
    elif kind == "box":
        X = rng.uniform(size=(n, 5))
    else:
        X = rng.standard_t(4, size=(n, 10))
    return X.astype(np.float32)


@pytest.mark.parametrize("kind", ["round", "long", "box", "tails"])
def test_structureless_data_have_no_stable_structure(kind):
    found = chosen(structureless(kind))
    assert found.verdict == UNSTABLE_WORD
    several = found.table[found.table["n_clusters"] > 1]
    assert (several["adjusted"] < 0.5).all()


@pytest.mark.parametrize(("n", "most"), [(200, 7), (600, 12)])
def test_few_structureless_cells_are_cut_into_few_clusters(n, most):
    for seed in range(3):
        X = np.random.default_rng(seed).normal(size=(n, 10)).astype(np.float32)
        lists = knn(X, 15)
        found = choose_resolution(weights(lists), X, order=lists.order, n_subsamples=5, seed=seed)
        assert found.verdict == UNSTABLE_WORD and 1 <= found.labels.max() + 1 <= most


def test_support_and_confidence_tell_good_clusters_from_arbitrary_ones():
    rng = np.random.default_rng(2)
    cloud = rng.normal(size=(1500, 6)) * 3
    knot = rng.normal(size=(300, 6)) * 0.5 + 30
    X = np.vstack([cloud, knot]).astype(np.float32)
    found = chosen(X, fixed=1.0)
    knot_cluster = np.bincount(found.labels[1500:]).argmax()
    others = np.delete(found.support, knot_cluster)
    assert found.resolution == 1.0 and found.support.shape == (found.labels.max() + 1,)
    assert len(others) > 2 and others.mean() < 0.7
    assert found.confidence[:1500].mean() < 0.9
    isolated = chosen(X, resolutions=(0.05,))
    assert isolated.support[isolated.labels[-1]] > 0.99 and isolated.confidence[1500:].min() > 0.99


def test_the_choice_does_not_depend_on_threads(make_blobs):
    X, _ = make_blobs(3, n=600)
    one, two = chosen(X, threads=1), chosen(X, threads=3)
    assert one.labels.tobytes() == two.labels.tobytes()
    assert one.confidence.tobytes() == two.confidence.tobytes()
    assert one.table.equals(two.table)


def test_stability_on_a_subset_of_many_cells(make_blobs):
    X, y = make_blobs(4, n=2000)
    found = chosen(X, stability_cells=700)
    assert found.cells == 700
    assert len(found.confidence) == 2000 and np.isfinite(found.confidence).all()
    assert adjusted_rand(y, found.labels) > 0.95


def test_without_the_matrix_nothing_is_adjusted(grouped):
    found = choose_resolution(grouped[3], None, (0.3,), n_subsamples=3)
    assert found.table["adjusted"].isna().all()
    assert found.table["reason"].iloc[0] == "no matrix given for the structureless comparison"


def test_null_stability_is_read_at_the_same_number_of_clusters():
    counts, stability = np.array([1.0, 2.0, 8.0]), np.array([1.0, 0.6, 0.2])
    assert at_count(4, counts, stability) == pytest.approx(0.4)
    assert at_count(50, counts, stability) == pytest.approx(0.2)


def test_rare_populations_get_clusters_of_their_own():
    """0.7 % beside a large neighbour from which it is 5 sigma away: merged at resolution 0.2, kept by the splitting."""
    rng = np.random.default_rng(5)
    large, rare = rng.normal(size=(6000, 10)), rng.normal(size=(60, 10)) * 0.7
    rare[:, 0] += 5
    far = rng.normal(size=(3000, 10)) + 12
    X = np.vstack([large, rare, far]).astype(np.float32)
    truth = np.repeat([0, 1, 2], [6000, 60, 3000])
    lists = knn(X, 15)
    W = weights(lists)
    parents = np.repeat([0, 0, 1], [6000, 60, 3000]).astype(np.int32)
    fine = subcluster(W, parents, order=lists.order)
    own = np.bincount(fine[truth == 1]).argmax()
    inside = fine == own
    precision, recall = (truth[inside] == 1).mean(), inside[truth == 1].mean()
    assert 2 * precision * recall / (precision + recall) > 0.8
    assert all(len(set(parents[fine == c])) == 1 for c in range(fine.max() + 1))
    assert np.bincount(fine).min() >= 0.001 * len(X)


def test_few_cells_are_not_split_into_crumbs(monkeypatch):
    """150 cells of one kind: at the fine resolution alone there would be more than a dozen parts of ten cells."""
    X = np.random.default_rng(6).normal(size=(150, 8)).astype(np.float32)
    W = weights(knn(X, 15))
    one = np.zeros(150, np.int32)
    fine = subcluster(W, one)
    assert np.bincount(fine).min() >= 20
    monkeypatch.setattr("cimlnk.graph.subclusters.FEW", 0)
    assert subcluster(W, one, min_cells=1).max() + 1 > 12


@pytest.mark.parametrize("n", [200, 500, 1000, 2000, 5000])
def test_the_number_of_parts_goes_with_the_root_of_the_number_of_cells(n):
    """A continuum without borders (2,000 cells at the resolution alone: 60 parts). A small kind apart stays whole."""
    rng = np.random.default_rng(n)
    cloud = rng.normal(size=(n - 25, 12)) * np.linspace(3, 0.5, 12)
    apart = rng.normal(size=(25, 12)) * 0.5
    apart[:, 11] += 7
    X = np.vstack([cloud, apart]).astype(np.float32)
    lists = knn(X, 15)
    fine = subcluster(weights(lists), np.zeros(n, np.int32), order=lists.order)
    assert fine.max() + 1 <= 0.5 * np.sqrt(n) + 2
    own = np.bincount(fine[-25:]).argmax()
    assert (fine[-25:] == own).mean() > 0.9 and (np.flatnonzero(fine == own) >= n - 25).mean() > 0.9


def test_a_choice_at_the_end_of_the_sweep_says_so():
    sweep = pd.DataFrame({"n_clusters": [2, 4, 9], "stability": 0.9, "adjusted": [0.9, 0.8, 0.7], "supported": 1.0})
    best, verdict, reason = decide(sweep)
    assert (best, verdict) == (2, STABLE_WORD) and "the last one tried" in reason
    sweep.loc[2, "supported"] = 0.5
    best, verdict, reason = decide(sweep)
    assert (best, verdict) == (1, STABLE_WORD) and "the last one tried" not in reason
