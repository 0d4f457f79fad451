import numpy as np
from sklearn.manifold import trustworthiness

from cimlnk.graph import umap_layout
from cimlnk.graph.umap import curve, force_tables


def test_the_curve_is_that_of_umap():
    # umap-learn's documented values for min_dist 0.1 and 0.5 at spread 1
    np.testing.assert_allclose(curve(0.1, 1.0), (1.577, 0.895), atol=2e-3)
    np.testing.assert_allclose(curve(0.5, 1.0), (0.583, 1.334), atol=2e-3)


def test_tables_hold_the_forces():
    a, b = 1.577, 0.895
    pull, push = force_tables(a, b)
    for d2 in (1e-4, 0.3, 1.0, 7.7, 250.0):
        i = int(np.float32(d2).view(np.int32) >> 16)
        # seven bits of mantissa: the table's step is below 1 %
        np.testing.assert_allclose(pull[i], 2 * a * b * d2 ** (b - 1) / (1 + a * d2**b), rtol=0.01)
        np.testing.assert_allclose(push[i], 2 * b / ((0.001 + d2) * (1 + a * d2**b)), rtol=0.01)


def test_groups_stay_together_and_the_picture_is_trustworthy(grouped):
    X, y, _, W = grouped
    Y = umap_layout(W, X, n_epochs=200)
    assert Y.shape == (len(X), 2) and Y.dtype == np.float32 and np.isfinite(Y).all()
    centres = np.array([Y[y == g].mean(axis=0) for g in range(6)])
    nearest = np.linalg.norm(Y[:, None] - centres, axis=2).argmin(axis=1)
    assert (nearest == y).mean() > 0.98
    # umap-learn reaches 0.94 to 0.96 on such groups of 8 dimensions
    assert trustworthiness(X, Y, n_neighbors=15) > 0.9


def test_same_picture_for_any_number_of_threads(grouped):
    X, _, _, W = grouped
    one, two = (umap_layout(W, X, seed=4, n_epochs=20, threads=t) for t in (1, 3))
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() != umap_layout(W, X, seed=5, n_epochs=20).tobytes()


def test_one_feature_is_enough():
    from cimlnk.graph import knn, weights

    X = np.random.default_rng(0).normal(size=(200, 1)).astype(np.float32)
    assert np.isfinite(umap_layout(weights(knn(X, 10)), X, n_epochs=20)).all()
