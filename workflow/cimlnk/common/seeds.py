"""Independent random streams from one seed in the config."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *keys: object) -> int:
    """A 32-bit seed for the stream named by `keys`, stable across machines, processes and orders of execution.

    Adding a sample or a step never shifts the numbers of another one, because each stream has its own name.
    """
    text = "\x1f".join([str(int(seed)), *map(str, keys)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def rng(seed: int, *keys: object) -> np.random.Generator:
    """A NumPy generator for the stream named by `keys`."""
    return np.random.default_rng(derive(seed, *keys))
