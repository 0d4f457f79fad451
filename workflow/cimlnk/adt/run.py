"""What the rule runs: proteins of all samples, their lineages and names, and the agreement with RNA."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common import seeds
from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import NK
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.populations.positivity import Reference, protein_thresholds
from cimlnk.populations.tables import THRESHOLDS
from cimlnk.rna.antibodies import ISOTYPE, PROTEIN, Antibody

from .agreement import name_agreement, nk_agreement
from .background import Background
from .call import Proteins, call_proteins, lineage_names
from .dsb import clr, dsb
from .files import SampleProteins, shared, write_nothing, write_proteins
from .names import name_by_protein, withhold
from .scale import COFACTOR
from .tables import ANTIBODIES, NAME_AGREEMENT, NK_AGREEMENT, PROTEIN_CELLS

LOG = logging.getLogger("cimlnk.adt")
LEAST_EMPTY_SD = 1e-6
SHEET = ["patient", "day", "timepoint", "arm", "tissue_or_product", "batch"]  # what the proteins' file says of a sample


def name_proteins(
    *,
    files: Sequence[str | Path],
    sheet: str | Path,
    populations: str | Path,
    definitions: str | Path,
    settings: Mapping[str, Any],
    seed: int,
    threads: int,
    proteins: str | Path,
    cells: str | Path,
    antibodies: str | Path,
    thresholds: str | Path,
    nk: str | Path,
    names: str | Path,
    provenance: Mapping[str, Any],
) -> None:
    """Call lineages and names by protein, and compare them with those by RNA.

    Writes `proteins` (h5ad: all live single cells × proteins that all samples have; ``X`` on the analysis scale,
    ``layers`` counts, clr, and dsb where every sample has empty droplets), `cells` (PROTEIN_CELLS), `antibodies`
    (ANTIBODIES), `thresholds` (THRESHOLDS), `nk` (NK_AGREEMENT) and `names` (NAME_AGREEMENT). Without antibodies in any
    sample all of them are empty.

    Parameters
    ----------
    files
        Per-sample files of :func:`cimlnk.rna.proteins.write_proteins`.
    sheet, populations
        SAMPLES, and POPULATIONS by RNA.
    definitions
        Populations by protein (YAML), those of cytometry.
    settings
        ``infused``: whether somebody of the cohort was.
    """
    defs = load_definitions(definitions, infused=bool(settings["infused"]))
    samples = [s for s in map(SampleProteins.read, files) if len(s.obs) and s.antibodies]
    named = read_table(populations).set_index("cell")["population"]
    if not samples:
        results = {"proteins": proteins, "cells": cells, "antibodies": antibodies, "thresholds": thresholds}
        write_nothing(**results, nk=nk, names=names, provenance=provenance)
        LOG.info("no antibodies in any sample")
        return
    used, columns = shared(samples)
    described = read_table(sheet).set_index("sample")
    batches = described["batch"].astype(str)
    of_batch: dict[str, list[int]] = {}
    for i, s in enumerate(samples):
        of_batch.setdefault(str(batches[s.sample]), []).append(i)
    dense = [np.asarray(s.counts[:, c].todense(), np.float64) for s, c in zip(samples, columns, strict=True)]
    empty = [
        None if s.empty is None else np.asarray(s.empty[:, c].todense(), np.float64)
        for s, c in zip(samples, columns, strict=True)
    ]
    found: dict[int, tuple[NDArray[np.float32], NDArray[Any], NDArray[np.float32], NDArray[np.bool_], Background]] = {}
    markers: list[str] = []
    for batch, members in sorted(of_batch.items()):
        called = call_proteins(
            [dense[i] for i in members],
            used,
            empties=[empty[i] for i in members],
            seed=seeds.derive(seed, "adt", batch),
            threads=threads,
        )
        markers = called.markers
        if called.reason:
            LOG.warning("batch %s: no lineages by protein: %s", batch, called.reason)
        found |= _split(called, members, [len(dense[i]) for i in members])
    order = range(len(samples))
    values = np.concatenate([found[i][0] for i in order])
    lineage = np.concatenate([found[i][1] for i in order])
    confidence = np.concatenate([found[i][2] for i in order])
    sample = np.repeat([s.sample for s in samples], [len(s.obs) for s in samples])
    batch_of = batches.reindex(sample).to_numpy(dtype=object)
    obs = pd.concat([s.obs for s in samples])
    reference = Reference(values, markers, batch_of.astype(str), lineage.astype(str), confidence)
    is_nk = lineage == NK
    cuts = protein_thresholds(
        values[is_nk], markers, batch_of[is_nk].astype(str), samples=sample[is_nk],
        cofactors=dict.fromkeys(markers, COFACTOR), reference=reference, seed=seed,
    )  # fmt: skip
    by_protein = name_by_protein(
        values[is_nk], markers, batch_of[is_nk], thresholds=cuts, definitions=defs, seed=seed, threads=threads
    )
    untrusted = {
        samples[i].sample: {used[j].label for j in np.flatnonzero(~found[i][4].trusted) if used[j].kind == PROTEIN}
        for i in order
    }
    for one, unsure in untrusted.items():
        if unsure:
            LOG.warning("%s: no trustworthy background of %s", one, ", ".join(sorted(unsure)))
    by_protein = withhold(by_protein, sample[is_nk], untrusted=untrusted, definitions=defs)
    population, score = np.full(len(obs), None, object), np.full(len(obs), np.nan, np.float32)
    population[is_nk], score[is_nk] = by_protein.population, by_protein.score
    by_rna = named.reindex(obs.index).to_numpy(dtype=object)
    by_rna = np.array([None if p is None or p != p else str(p) for p in by_rna], object)
    table = pd.DataFrame(
        {
            "cell": obs.index.astype(str), "sample": sample, "lineage_protein": lineage,
            "lineage_confidence": confidence, "sticky": np.concatenate([found[i][3] for i in order]),
            "lineage_rna": obs["lineage_rna"].astype(str).to_numpy(), "nk_rna": obs["nk_rna"].to_numpy(bool),
            "nk_probability": obs["nk_probability"].to_numpy(np.float32), "population_protein": population,
            "score_protein": score, "population_rna": by_rna,
        }
    )  # fmt: skip
    has_name = np.array([p is not None for p in by_rna], bool)
    agreed = name_agreement(by_rna[has_name], population[has_name], defs, limits=by_protein.limits)
    write_table(table, cells, PROTEIN_CELLS, provenance=provenance)
    backgrounds = _antibodies(samples, used, empty=empty, backgrounds=[found[i][4] for i in order])
    write_table(backgrounds, antibodies, ANTIBODIES, provenance=provenance)
    write_table(cuts, thresholds, THRESHOLDS, provenance=provenance)
    write_table(nk_agreement(sample, table["nk_rna"].to_numpy(), lineage), nk, NK_AGREEMENT, provenance=provenance)
    write_table(agreed, names, NAME_AGREEMENT, provenance=provenance)
    use = [j for j, a in enumerate(used) if a.kind != ISOTYPE]
    iso = [j for j, a in enumerate(used) if a.kind == ISOTYPE]
    layers = {
        "counts": np.concatenate(dense)[:, use].astype(np.float32),
        "clr": np.concatenate([clr(d[:, use]) for d in dense]).astype(np.float32),
    }
    if all(e is not None and (e.std(axis=0) > LEAST_EMPTY_SD).all() for e in empty):
        scaled = [dsb(d, e, iso)[:, use] for d, e in zip(dense, empty, strict=True) if e is not None]
        layers["dsb"] = np.concatenate(scaled).astype(np.float32)
    var = pd.DataFrame({"antibody": [used[j].name for j in use]}, index=pd.Index(markers, dtype=object))
    missing = sorted({a.label for s in samples for a in s.antibodies} - {a.label for a in used})
    record = {"provenance": provenance, "not_in_every_sample": missing}
    about = described.reindex(columns=SHEET).loc[sample].reset_index(drop=True)
    write_proteins(proteins, values, pd.concat([table, about], axis=1), var=var, layers=layers, record=record)
    LOG.info("%d cells, %d proteins, %d NK cells by protein", len(table), len(markers), int(is_nk.sum()))


def _split(called: Proteins, members: list[int], sizes: list[int]) -> dict[int, Any]:
    """What was found in a batch, sample by sample: values, lineage, confidence, sticky, background."""
    found = {}
    lineage = lineage_names(called)
    sure = np.zeros(len(lineage), np.float32) if called.called is None else called.called.confidence
    at = 0
    for place, i in enumerate(members):
        rows = slice(at, at + sizes[place])
        background = called.backgrounds[place]
        found[i] = (called.values[rows], lineage[rows], sure[rows], called.sticky[rows], background)
        at += sizes[place]
    return found


def _antibodies(
    samples: Sequence[SampleProteins],
    used: Sequence[Antibody],
    *,
    empty: Sequence[Any],
    backgrounds: Sequence[Background],
) -> pd.DataFrame:
    rows = [
        (s.sample, a.name, a.label, a.kind, a.known, b.level[j], b.noise[j],
         len(e) if e is not None and b.method[j] == "empty droplets" else 0, b.method[j], bool(b.trusted[j]),
         b.reason[j])
        for s, e, b in zip(samples, empty, backgrounds, strict=True)
        for j, a in enumerate(used)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(ANTIBODIES.columns))
