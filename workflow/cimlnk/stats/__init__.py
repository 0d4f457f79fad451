"""Statistics for a handful of patients: arrays in, NamedTuples out; no cohort, no population, no file."""

from __future__ import annotations

from cimlnk.common.faces import face

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
__getattr__, __dir__, __all__ = face(__name__, _HOME)
