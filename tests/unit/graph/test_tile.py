"""The vector code against plain numpy, for every shape of vector this machine can run."""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest

from cimlnk.graph.kernels import tile


def test_shapes_fit_the_registers():
    for features, registers in (({"avx512f": True}, 32), ({"avx2": True, "fma": True}, 16), ({}, 16)):
        lanes, at_once, _ = tile.shape(features)
        vectors = tile.WIDTH // lanes
        # accumulators, candidates' column and one broadcast value
        assert at_once * vectors + vectors < registers + vectors and tile.ROWS % at_once == 0


def test_scan_finds_the_largest_scores():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(77, 5)).astype(np.float32)
    start, first = np.array([0, 40, 77]), np.array([0, 2, 4])
    panels = np.empty((4, 6, tile.WIDTH), np.float32)
    tile.pack(Z, start, first, panels, 0, 2)
    Q = rng.normal(size=(11, 5)).astype(np.float32)
    best, ident = np.full((11, 4), -3e38, np.float32), np.full((11, 4), -1, np.int32)
    tile.scan(Q, np.full(11, -1, np.int32), panels, start, first, best, ident, 0, 11)
    scores = Q @ Z.T - 0.5 * (Z**2).sum(1)
    np.testing.assert_array_equal(ident, np.argsort(-scores, axis=1)[:, :4])
    np.testing.assert_allclose(best, -np.sort(-scores, axis=1)[:, :4], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_the_narrow_code_gives_the_same_neighbours(tmp_path):
    """A machine without AVX takes the code of 4 lanes: same neighbours, distances equal but for rounding."""
    program = (
        "import numpy as np; from cimlnk.graph import knn\n"
        "X = np.random.default_rng(0).normal(size=(600, 7)).astype('f4'); l = knn(X, 8)\n"
        "np.savez({!r}, i=l.indices, d=l.distances)"
    )
    environment = os.environ | {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "CIMLNK_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    force = "import llvmlite.binding as b; b.get_host_cpu_features = lambda: {}\n"
    subprocess.run(
        [sys.executable, "-c", force + program.format(str(tmp_path / "narrow.npz"))], env=environment, check=True
    )
    X = np.random.default_rng(0).normal(size=(600, 7)).astype("f4")
    lists = importlib.import_module("cimlnk.graph").knn(X, 8)
    with np.load(tmp_path / "narrow.npz") as z:
        np.testing.assert_allclose(z["d"], lists.distances, rtol=1e-5)
        assert (z["i"] == lists.indices).mean() > 0.999  # near-ties may swap places
