import numpy as np
import pytest

from cimlnk.graph import adjusted_rand, cluster, neighbors


@pytest.fixture(scope="module")
def annotated(request):
    anndata = pytest.importorskip("anndata")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 800)
    X = (rng.normal(size=(4, 6)) * 8)[y] + rng.normal(size=(800, 6))
    adata = anndata.AnnData(X.astype(np.float32))
    lists = neighbors(adata, n_neighbors=15)
    return adata, y, lists


def test_slots_are_those_of_scanpy(annotated):
    adata, _, lists = annotated
    assert lists.k == 14
    assert adata.uns["neighbors"]["connectivities_key"] == "connectivities"
    assert adata.uns["neighbors"]["params"]["n_neighbors"] == 15
    assert (np.diff(adata.obsp["distances"].indptr) == 14).all()
    assert adata.obsp["connectivities"].shape == (800, 800)


def test_clusters_are_categories_by_size(annotated):
    adata, y, _ = annotated
    assert cluster(adata, 0.2) is None
    codes = adata.obs["leiden"].cat.codes.to_numpy()
    assert adjusted_rand(y, codes) > 0.98
    assert list(adata.obs["leiden"].cat.categories) == [str(i) for i in range(codes.max() + 1)]
    choice = cluster(adata, "auto", key_added="auto", n_subsamples=4)
    assert choice is not None and adata.uns["auto"]["verdict"] == "stable structure"
    assert adata.obs["auto_confidence"].mean() > 0.95


def test_the_order_of_the_search_goes_along_and_an_old_one_does_no_harm(annotated, monkeypatch):
    from cimlnk.graph import communities as module

    adata, y, lists = annotated
    np.testing.assert_array_equal(adata.uns["neighbors"]["order"], lists.order)
    given = []
    leiden = module.leiden
    monkeypatch.setattr(module, "leiden", lambda *a, order, **k: given.append(order) or leiden(*a, order=order, **k))
    cluster(adata, 0.2)
    fewer = adata[:500].copy()
    cluster(fewer, 0.2)
    np.testing.assert_array_equal(given[0], lists.order)
    assert given[1] is None and adjusted_rand(y[:500], fewer.obs["leiden"].cat.codes.to_numpy()) > 0.98


@pytest.mark.slow
def test_scanpy_goes_on_from_the_slots(annotated):
    sc = pytest.importorskip("scanpy")
    adata, _, _ = annotated
    sc.tl.leiden(adata, 0.2, flavor="igraph", n_iterations=2, directed=False, key_added="theirs")
    cluster(adata, 0.2)
    assert adjusted_rand(adata.obs["theirs"].cat.codes.to_numpy(), adata.obs["leiden"].cat.codes.to_numpy()) > 0.98
    # PAGA fails inside scanpy where no two clusters are linked at all, so it gets clusters that touch
    touching = type(adata)((adata.X - adata.X.mean(axis=0)) * 0.2 + np.random.default_rng(1).normal(size=adata.shape))
    neighbors(touching, n_neighbors=15)
    cluster(touching, 1.0)
    sc.tl.paga(touching, groups="leiden")
    assert touching.uns["paga"]["connectivities"].shape[0] == touching.obs["leiden"].nunique()
    sc.tl.umap(touching, maxiter=5)
    assert touching.obsm["X_umap"].shape == (800, 2)
