"""Statistics for a handful of patients: arrays in, NamedTuples out; no cohort, no population, no file."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "spatial_fdr": "fdr",
    "moderated_paired": "paired",
    "welch": "paired",
    "sign_flip": "exact",
    "relabel": "exact",
    "random_intercept": "linear_mixed",
    "fit_counts": "beta_binomial",
    "fit_nb": "count_glm",
    "ql_test": "count_glm",
    "wilson": "intervals",
    "t_interval": "intervals",
    "share_interval": "intervals",
    "permanova": "permutation",
    "donor_identity": "permutation",
    "aitchison": "composition",
    "jensen_shannon": "composition",
    "shannon": "diversity",
    "inverse_simpson": "diversity",
}
# fdr, signed_rank and transport are called like their modules and come from there: imported here, every rule that uses
# any statistic would depend on them
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:  # names are loaded on first use, so that a face costs no imports
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
