"""Depth normalisation: log1p of counts per 10,000."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

TARGET = 1e4  # counts per cell after normalisation, so that samples of different depth are comparable


def normalise(counts: sp.csr_matrix) -> sp.csr_matrix:
    """log1p of counts per 10,000, float32 CSR with the sparsity of `counts`."""
    depth = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    factor = np.repeat(TARGET / np.maximum(depth, 1.0), np.diff(counts.indptr))
    values = np.log1p(counts.data * factor).astype(np.float32)
    return sp.csr_matrix((values, counts.indices.copy(), counts.indptr.copy()), shape=counts.shape)
