"""What the rule dynamics_repertoire runs: read, call the pure functions, write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import NK, SAMPLE_KEYS, sample_of
from cimlnk.dynamics.results import with_fdr
from cimlnk.dynamics.tables import DIVERSITY, TESTS
from cimlnk.populations.load import cell_names, columns, feature_names
from cimlnk.stats.composition import aitchison, jensen_shannon

from .differential import distance_tests, thinned
from .distances import distance_table
from .diversity import diversity
from .phenotypes import count_phenotypes, long_counts
from .tables import DISTANCES, REPERTOIRE

PathLike = str | Path
_OF_SAMPLE = list(SAMPLE_KEYS)


def write_repertoire(
    *,
    sample_files: Sequence[PathLike],
    thresholds: Sequence[PathLike],
    samples: PathLike,
    abundance: PathLike,
    settings: Mapping[str, Any],
    modality: str | None = "cytof",
    seed: int,
    repertoire: PathLike,
    diversities: PathLike,
    distances: PathLike,
    tests: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write REPERTOIRE, DIVERSITY, DISTANCES and TESTS.

    Receptor phenotypes need protein, so they come from cytometry alone (`sample_files` and `thresholds` are
    empty without it); distances between compositions come from every modality in `abundance`.

    Parameters
    ----------
    settings
        Config ``dynamics.repertoire``.
    modality
        Kind of cytometry of `sample_files`; None without.
    """
    table = read_table(samples)
    frames: dict[str, list[pd.DataFrame]] = {"repertoire": [], "diversity": [], "distances": [], "tests": []}

    def compare(distance: NDArray[np.float64], names: Sequence[str], modality: str, *, what: str, metric: str) -> None:
        of = table.set_index("sample", drop=False).loc[list(names)]
        if len(of) < 2:
            return
        named = {"modality": modality, "what": what, "metric": metric}
        frames["distances"].append(distance_table(distance, of).assign(**named))
        result = distance_tests(
            distance, of, modality=modality, what=what, permutations=settings["permutations"], seed=seed
        )
        frames["tests"].append(result)

    if thresholds:
        cuts = read_table(thresholds[0]).pivot(index="batch", columns="feature", values="threshold")
        batch = table.set_index("sample")["batch"].astype(str)
        paths = [str(p) for p in sorted(map(str, sample_files)) if len(cell_names(p))]
        for what, wanted in (("receptors", "markers"), ("donor_receptors", "donor_markers")):
            markers = _measured(settings[wanted], paths, cuts)
            if not markers:
                continue
            counts = count_phenotypes(_above(paths, markers, cuts, batch=batch), np.zeros(len(markers)))
            small = thinned(counts, settings["min_cells"], seed)
            if len(small):
                compare(
                    jensen_shannon(small.to_numpy()),
                    list(small.index),
                    str(modality),
                    what=what,
                    metric="jensen_shannon",
                )
            if what == "receptors":
                of_sample = table[_OF_SAMPLE]
                frames["repertoire"].append(
                    long_counts(counts, markers).merge(of_sample, on="sample").assign(modality=modality)
                )
                index = diversity(counts, min_cells=settings["min_cells"], repeats=settings["repeats"], seed=seed)
                frames["diversity"].append(index.merge(of_sample, on="sample").assign(modality=modality))
    for kind, wide in composition(read_table(abundance)).items():
        # At their own depths a day of shallow files would be another composition: rare populations sink to nothing.
        small = thinned(wide.astype("int64"), settings["min_cells"], seed)
        if len(small):
            compare(aitchison(small.to_numpy()), list(small.index), kind, what="composition", metric="aitchison")
    write_table(_joined(frames["repertoire"], list(REPERTOIRE.columns)), repertoire, REPERTOIRE, provenance=provenance)
    write_table(_joined(frames["diversity"], list(DIVERSITY.columns)), diversities, DIVERSITY, provenance=provenance)
    write_table(_joined(frames["distances"], list(DISTANCES.columns)), distances, DISTANCES, provenance=provenance)
    write_table(with_fdr(frames["tests"], ()), tests, TESTS, provenance=provenance)


def composition(abundance: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Samples x populations cell counts by modality, the total left out."""
    rows = abundance[(abundance["population"] != NK) & abundance["sample"].notna() & abundance["n_cells"].notna()]
    found = {}
    for modality, group in rows.groupby("modality", sort=True):
        wide = group.pivot(index="sample", columns="population", values="n_cells").fillna(0).sort_index()
        found[str(modality)] = wide[wide.sum(axis=1) > 0]
    return found


def _measured(wanted: Sequence[str], paths: Sequence[str], cuts: pd.DataFrame) -> list[str]:
    """Those of the wanted markers that every sample measured and that have a threshold in every batch."""
    present = [set(feature_names(p)) for p in paths]
    told = set(cuts.columns[cuts.notna().all()])
    return [m for m in wanted if m in told and present and all(m in p for p in present)]


def _above(
    paths: Sequence[str], markers: Sequence[str], cuts: pd.DataFrame, *, batch: pd.Series
) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Sample by sample how far the cells lie above the thresholds of their batch."""
    for path in paths:
        sample = sample_of(str(cell_names(path)[0]))
        yield sample, columns(path, markers) - cuts.loc[batch[sample], list(markers)].to_numpy(dtype=np.float32)


def _joined(parts: Sequence[pd.DataFrame], names: list[str]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame({name: [] for name in names})
    return pd.concat(parts, ignore_index=True)[names]
