"""What the rule dynamics_identity runs: per modality and arm, cluster every time point, link, control, write."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.seeds import derive, rng
from cimlnk.common.tables import Schema, read_table, write_table
from cimlnk.common.vocabulary import NK

from .ancestry import ancestry
from .course import Course, pairs_of, summaries, tracks
from .links import profile
from .resampling import cluster_course, supported
from .rows import event_rows, link_rows, named_clusters, track_rows
from .tables import ANCESTRY, EVENTS, IDENTITY, TRACKS

PathLike = str | Path
log = logging.getLogger(__name__)
FEWEST_CELLS = 100  # of a time point; fewer cannot be clustered on their own
SCHEMAS: dict[str, Schema] = {"identity": IDENTITY, "events": EVENTS, "tracks": TRACKS, "ancestry": ANCESTRY}


def write_identity(
    *,
    modalities: Sequence[str],
    features: Sequence[PathLike],
    cells: Sequence[PathLike],
    populations: Sequence[PathLike],
    abundance: PathLike,
    samples: PathLike,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    outputs: Mapping[str, PathLike],
    provenance: Mapping[str, Any],
) -> None:
    """Write IDENTITY, EVENTS, TRACKS and ANCESTRY (`outputs` by the names in SCHEMAS).

    Parameters
    ----------
    settings
        Config ``dynamics.identity``.
    """
    sheet, counted = read_table(samples), read_table(abundance)
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in SCHEMAS}
    for modality, matrix, names, labels in zip(modalities, features, cells, populations, strict=True):
        data = np.load(matrix, mmap_mode="r")
        rows = read_table(names)
        population = read_table(labels).set_index("cell")["population"].reindex(rows["cell"]).to_numpy(dtype=object)
        for arm in sorted(set(sheet.loc[sheet["modality"] == modality, "arm"])):
            of_arm = sheet[(sheet["modality"] == modality) & (sheet["arm"] == arm)]
            per_ul = _per_ul(counted, modality, arm)
            found = follow(
                data,
                rows["sample"],
                population,
                samples=of_arm,
                per_ul=per_ul,
                settings=settings,
                seed=seed,
                threads=threads,
            )
            for name, table in found.items():
                parts[name].append(table.assign(modality=modality, arm=arm))
    for name, schema in SCHEMAS.items():
        filled = [t for t in parts[name] if len(t)]
        write_table(pd.concat(filled) if filled else schema.empty(), outputs[name], schema, provenance=provenance)


def follow(
    data: NDArray[np.floating],
    sample: pd.Series,
    population: NDArray[np.object_],
    *,
    samples: pd.DataFrame,
    per_ul: Mapping[str, float],
    settings: Mapping[str, Any],
    seed: int,
    threads: int = 1,
) -> dict[str, pd.DataFrame]:
    """All four tables of one arm (without modality and arm); empty frames where fewer than two time points have cells.

    Parameters
    ----------
    data : (cells, d)
        Features of all cells of the modality.
    sample, population
        Of every cell.
    samples
        SAMPLES rows of the arm.
    per_ul
        Mean NK cells per microlitre by time point.
    """
    name = str(samples["arm"].iloc[0])
    course, chosen = draw(
        data, sample, samples, cells_per_timepoint=settings["cells_per_timepoint"], seed=derive(seed, "draw", name)
    )
    if not course.pairs:
        return {table: pd.DataFrame() for table in SCHEMAS}
    label_of = population[chosen]

    own = derive(seed, name)
    label, lists = cluster_course(course, settings, own, threads=threads)
    links = supported(course, label, lists, settings=settings, seed=own, threads=threads)
    moments = summaries(course, label)
    named = named_clusters(course, label, label_of)
    joined = tracks(links, {t: s.counts.shape[1] for t, s in moments.items()})
    share = {t: profile(s).share for t, s in moments.items()}
    day = samples.groupby("timepoint")["day"].median().astype(float).to_dict()
    linked = sum(int(r.found.linked.sum()) for r in links.values())
    log.info("%s: %d links, %d tracks", name, linked, len(set(joined.values())))
    line = founder_line(course.pairs, samples)
    founders = ancestry(course, label_of, line, per_ul=per_ul, seed=derive(seed, name))
    founders["day"] = founders["timepoint"].map(day)
    return {
        "identity": link_rows(links, named),
        "events": event_rows(links, named),
        "tracks": track_rows(joined, named, share, day=day, per_ul=per_ul),
        "ancestry": founders,
    }


def founder_line(pairs: Sequence[tuple[str, str]], samples: pd.DataFrame) -> list[str]:
    """From the product (without one: the first time point) along the pairs to the last time point."""
    product = set(samples.loc[samples["tissue_or_product"] == "product", "timepoint"])
    starts = [a for a, _ in pairs if a in product] or [pairs[0][0]]
    line, following = [starts[0]], dict(reversed(pairs))
    while line[-1] in following:
        line.append(following[line[-1]])
    return line


def draw(
    data: NDArray[np.floating], sample: pd.Series, samples: pd.DataFrame, *, cells_per_timepoint: int, seed: int
) -> tuple[Course, NDArray[np.int64]]:
    """The cells of an arm that are followed, and their rows.

    Every sample of a time point gives the same number of cells (all it has, if fewer), so that patients weigh alike.
    Time points with too few cells to be clustered are left out before the pairs are made.
    """
    codes = pd.Index(sample)
    rows_of = {s: np.flatnonzero(codes == s) for s in sorted(samples["sample"])}
    chosen, timepoints, patients = [], [], []
    for timepoint, group in samples.groupby("timepoint", sort=True):
        own = [s for s in sorted(group["sample"]) if len(rows_of[s])]
        if sum(len(rows_of[s]) for s in own) < FEWEST_CELLS:
            continue
        each = max(1, cells_per_timepoint // len(own))
        for s in own:
            rows = rows_of[s]
            if len(rows) > each:
                rows = np.sort(rng(seed, s).choice(rows, each, replace=False))
            chosen.append(rows)
            timepoints += [str(timepoint)] * len(rows)
            patients += [str(group.set_index("sample").at[s, "patient"])] * len(rows)
    if not chosen:
        return Course(np.zeros((0, data.shape[1])), np.array([], object), np.array([], np.int64), []), np.array([], int)
    picked = np.concatenate(chosen)
    names, patient = np.unique(np.array(patients), return_inverse=True)
    timepoint = np.array(timepoints, dtype=object)
    usable = samples[samples["timepoint"].isin(set(timepoints))]
    code = {str(n): k for k, n in enumerate(names)}
    batches = {
        (str(s.timepoint), code[str(s.patient)]): str(s.batch)
        for s in samples.itertuples()
        if "batch" in samples and str(s.patient) in code
    }
    course = Course(np.asarray(data[picked]), timepoint, patient.astype(np.int64), pairs_of(usable), batches)
    return course, picked


def _per_ul(abundance: pd.DataFrame, modality: str, arm: str) -> dict[str, float]:
    """Mean NK cells per microlitre of the arm's patients by time point; blood only."""
    keep = (abundance["modality"] == modality) & (abundance["arm"] == arm) & (abundance["population"] == NK)
    rows = abundance[keep & (abundance["tissue_or_product"] == "blood")]
    return rows.groupby("timepoint")["nk_per_ul"].mean().dropna().to_dict()
