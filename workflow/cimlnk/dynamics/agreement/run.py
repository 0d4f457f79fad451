"""What the rule dynamics_agreement runs: read, call the pure functions, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.tables import read_table, write_table

from .concordance import agreement, matched, matched_features
from .tables import AGREEMENT, AGREEMENT_PAIRS


def write_agreement(
    *,
    abundance: str | Path,
    folds: str | Path,
    states: Sequence[str | Path],
    modalities: Sequence[str],
    samples: str | Path,
    settings: Mapping[str, Any],
    seed: int,
    table: str | Path,
    pairs: str | Path,
    provenance: Mapping[str, Any],
) -> None:
    """Write AGREEMENT and AGREEMENT_PAIRS; both are empty for a cohort with one modality.

    Parameters
    ----------
    states
        STATE files in the order of `modalities`.
    settings
        Config ``dynamics.agreement``.
    """
    by_modality = {m: read_table(path) for m, path in zip(modalities, states, strict=True)}
    if not {"cytof", "rna"} <= set(by_modality):
        write_table(AGREEMENT.empty(), table, AGREEMENT, provenance=provenance)
        write_table(AGREEMENT_PAIRS.empty(), pairs, AGREEMENT_PAIRS, provenance=provenance)
        return
    counted = read_table(abundance)
    found = matched(counted, read_table(folds))
    genes = {p: g for p, g in settings["pairs"].items() if g}
    features = matched_features(
        by_modality["cytof"], by_modality["rna"], read_table(samples), genes=genes, min_cells=settings["min_cells"]
    )
    both = AGREEMENT_PAIRS.check(pd.concat([found, features], ignore_index=True))
    named = counted[counted["n_cells"] > 0].groupby("modality")["population"].unique()
    judged = agreement(
        both,
        populations={str(m): [str(p) for p in names] for m, names in named.items()},
        min_pairs=settings["min_pairs"],
        min_concordance=settings["min_concordance"],
        shuffles=settings["shuffles"],
        seed=seed,
        samples=read_table(samples),
    )
    write_table(judged, table, AGREEMENT, provenance=provenance)
    write_table(both, pairs, AGREEMENT_PAIRS, provenance=provenance)
