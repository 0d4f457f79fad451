"""What the rule dynamics_agreement runs: read, call the pure functions, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import NK

from .concordance import agreement
from .pairs import DAY, matched, matched_features, whole
from .tables import AGREEMENT, AGREEMENT_PAIRS

PROTEINS = "adt"  # proteins of the cells whose RNA was counted, as a modality of its own
ORDER = ("cytof", "flow", PROTEINS, "rna")


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
    proteins: str | Path | None = None,
    refines: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write AGREEMENT and AGREEMENT_PAIRS of every two modalities; both are empty for a cohort with one modality.

    Parameters
    ----------
    states
        STATE files in the order of `modalities`.
    settings
        Config ``dynamics.agreement``.
    proteins
        PROTEIN_CELLS of :mod:`cimlnk.adt`: names by protein of the cells whose RNA was counted, compared with cytometry
        and with their own RNA.
    refines
        Name -> the more specific names under it (:meth:`cimlnk.populations.definitions.Definitions.refined`).
    """
    by_modality = {m: read_table(path) for m, path in zip(modalities, states, strict=True)}
    counted = read_table(abundance)
    own = pd.DataFrame() if proteins is None else read_table(proteins)
    if len(own):
        counted = pd.concat([counted, protein_shares(own, read_table(samples))], ignore_index=True)
    present = [m for m in ORDER if m in by_modality or (m == PROTEINS and len(own))]
    if len(present) < 2:
        write_table(AGREEMENT.empty(), table, AGREEMENT, provenance=provenance)
        write_table(AGREEMENT_PAIRS.empty(), pairs, AGREEMENT_PAIRS, provenance=provenance)
        return
    sheet, ratios = read_table(samples), read_table(folds)
    counted_whole = whole(counted, refines or {})
    genes = {p: g for p, g in settings["pairs"].items() if g}
    named = counted[counted["n_cells"] > 0].groupby("modality")["population"].unique()
    judged, found = [], []
    for one, other in combinations(present, 2):
        both = matched(counted_whole, ratios, one=one, other=other)
        if other == "rna" and one in by_modality:
            features = matched_features(
                by_modality[one], by_modality["rna"], sheet, genes=genes, min_cells=settings["min_cells"], one=one
            )
            both = AGREEMENT_PAIRS.check(pd.concat([both, features], ignore_index=True))
        found.append(both)
        judged.append(
            agreement(
                both,
                populations={m: [str(p) for p in named.get(m, [])] for m in (one, other)},
                min_pairs=settings["min_pairs"],
                min_concordance=settings["min_concordance"],
                shuffles=settings["shuffles"],
                seed=seed,
                samples=sheet,
            )
        )
    write_table(pd.concat(judged, ignore_index=True), table, AGREEMENT, provenance=provenance)
    write_table(pd.concat(found, ignore_index=True), pairs, AGREEMENT_PAIRS, provenance=provenance)


def protein_shares(cells: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Shares of the names by protein among the NK cells by protein of every sample.

    Returns columns of ABUNDANCE: modality (``adt``), sample, patient, day, tissue_or_product, population, n_cells and
    fraction; a name given anywhere has a row in every sample with NK cells.
    """
    nk = cells[cells["lineage_protein"] == NK]
    counts = nk.groupby(["sample", "population_protein"]).size().unstack(fill_value=0)
    share = counts.div(nk.groupby("sample").size().reindex(counts.index), axis=0)
    long = counts.stack().rename("n_cells").to_frame().assign(fraction=share.stack()).reset_index()
    long = long.rename(columns={"population_protein": "population"}).merge(samples[["sample", *DAY]], on="sample")
    return long.assign(modality=PROTEINS)
