import numpy as np
import pytest


def blobs(seed, n=1500, groups=6, d=8, far=9.0):
    """Gaussian groups at random centres: features, group of every row."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, d))
    centres *= far / np.linalg.norm(centres, axis=1, keepdims=True)
    y = rng.integers(0, groups, n)
    return (centres[y] + rng.normal(size=(n, d))).astype(np.float32), y


def hierarchy(seed, lineages=4, subsets=3, n=2500, d=20, far=8.0, near=4.5):
    """Lineages made of subsets: features, subset, lineage of every row."""
    rng = np.random.default_rng(seed)
    centres = []
    for _ in range(lineages):
        lineage = rng.normal(size=d)
        lineage *= far / np.linalg.norm(lineage)
        for _ in range(subsets):
            step = rng.normal(size=d)
            centres.append(lineage + step * near / np.linalg.norm(step))
    y = rng.choice(len(centres), n, p=rng.dirichlet(np.full(len(centres), 5.0)))
    return (np.array(centres)[y] + rng.normal(size=(n, d))).astype(np.float32), y, y // subsets


@pytest.fixture(scope="session")
def make_blobs():
    return blobs


@pytest.fixture(scope="session")
def make_hierarchy():
    return hierarchy


@pytest.fixture(scope="session")
def grouped():
    """Blobs with their neighbour lists and weights."""
    from cimlnk.graph import knn, weights

    X, y = blobs(0)
    lists = knn(X, 15)
    return X, y, lists, weights(lists)
