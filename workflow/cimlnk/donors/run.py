"""What the rule donors_calls runs: read the calls of all samples, find the persons, write tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.common.errors import UserError
from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import cell_id, event_of
from cimlnk.populations.load import cell_names, columns, feature_names

from .barcodes import same_barcodes
from .calls import read_calls
from .evidence import XIST, Y_GENES, read_second
from .genotypes import Genotypes, read_vcf
from .matching import Node, shared_between
from .persons import name_labels
from .tables import CALLS, COMPARISONS, MATCHES, SINGLET

PathLike = str | Path
Row = Mapping[str, Any]


def write_donors(
    *,
    rows: Sequence[Row],
    places: Mapping[str, Mapping[str, int]],
    given: Sequence[PathLike],
    persons: Sequence[Row],
    references: PathLike | None,
    samples: PathLike,
    cells: Sequence[PathLike],
    settings: Mapping[str, Any],
    calls: PathLike,
    matches: PathLike,
    comparisons: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write DONOR_CALLS, DONOR_MATCHES and DONOR_COMPARISONS.

    Parameters
    ----------
    rows, persons
        Rows of the donor and persons sheets, see :class:`.sheet.DonorSheet`.
    places, given
        Sample -> ``calls``, ``genotypes``, ``second`` -> number of the file in `given`.
    references
        VCF of known persons, or None.
    samples
        SAMPLES.
    cells
        The h5ad of the NK cells of every row's sample.
    settings
        Config `donors`.
    calls, matches, comparisons
        Tables to write.
    """
    files = {sample: {k: str(given[n]) for k, n in own.items()} for sample, own in places.items()}
    nk = {str(row["sample"]): path for row, path in zip(rows, cells, strict=True)}
    called, matched, compared = make_donors(
        rows, files, persons, references=references, samples=read_table(samples), cells=nk, settings=settings
    )
    write_table(called, calls, CALLS, provenance=provenance)
    write_table(matched, matches, MATCHES, provenance=provenance)
    write_table(compared, comparisons, COMPARISONS, provenance=provenance)


def make_donors(
    rows: Sequence[Row],
    places: Mapping[str, Mapping[str, str]],
    persons: Sequence[Row],
    *,
    references: PathLike | None,
    samples: pd.DataFrame,
    cells: Mapping[str, PathLike],
    settings: Mapping[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The tables of :func:`write_donors`; `cells` may lack samples, whose calls then name no NK cell."""
    by_sample = {str(r["sample"]): r for r in rows}
    calls: dict[str, pd.DataFrame] = {}
    genotypes: dict[str, Genotypes] = {}
    sexes: dict[Node, tuple[float, float]] = {}
    for sample, row in by_sample.items():
        calls[sample] = _calls(row, places[sample])
        if sample in cells:
            _join_cells(sample, row, calls[sample], path=cells[sample])
            sexes |= _sexes(sample, calls[sample], cells[sample])
        if "genotypes" in places[sample]:
            genotypes[sample] = _genotypes(row, places[sample]["genotypes"], calls[sample])
    known = None
    if references is not None and genotypes:
        wanted = set().union(*(set(g.sites) for g in genotypes.values()))
        known = read_vcf(references, Path(references).name, only=wanted)
    facts = samples[samples["sample"].isin(list(by_sample))]
    matched, compared = [MATCHES.empty()], [COMPARISONS.empty()]
    for patient, own in facts.groupby("patient", sort=True):
        match, comparison = name_labels(
            {s: calls[s] for s in own["sample"]},
            by_sample,
            own,
            persons=[p for p in persons if p["patient"] == patient],
            genotypes={s: g for s, g in genotypes.items() if s in set(own["sample"])},
            references=known,
            sexes=sexes,
            settings=settings,
        )
        matched.append(match)
        compared.append(comparison)
    compared.append(shared_between(genotypes, facts.set_index("sample")["patient"].to_dict(), settings))
    matches = MATCHES.check(pd.concat(matched, ignore_index=True))
    return _all_calls(calls, matches), matches, COMPARISONS.check(pd.concat(compared, ignore_index=True))


def _calls(row: Row, files: Mapping[str, str]) -> pd.DataFrame:
    file = str(row["calls"])
    found = read_calls(files["calls"], row["tool"], file=file, column=row["column"], barcodes=row["barcodes"])
    found["second"], found["antibody"], found["cell"] = None, np.nan, None
    if "second" in files:
        second = read_second(files["second"], str(row["second"]), row["second_column"], antibody=row["antibody"])
        at = same_barcodes(second["barcode"], found["barcode"], file, of=f"{row['second']}")
        hit = at >= 0
        found["second"] = found["second"].astype(object)
        found.iloc[at[hit], found.columns.get_loc("second")] = second["second"].to_numpy(object)[hit]
        found.iloc[at[hit], found.columns.get_loc("antibody")] = second["antibody"].to_numpy(float)[hit]
    return found


def _join_cells(sample: str, row: Row, calls: pd.DataFrame, *, path: PathLike) -> None:
    barcodes = [event_of(str(c)) for c in cell_names(path)]
    at = same_barcodes(barcodes, calls["barcode"], str(row["calls"]), of=f"the NK cells of {sample}")
    hit = at >= 0
    cell = calls["cell"].to_numpy(object, copy=True)
    cell[at[hit]] = [cell_id(sample, b) for b, h in zip(barcodes, hit, strict=True) if h]
    calls["cell"] = cell


def _sexes(sample: str, calls: pd.DataFrame, path: PathLike) -> dict[Node, tuple[float, float]]:
    """Molecules of XIST and of Y-linked genes in the NK cells of every label."""
    have = set(map(str, feature_names(path)))
    genes = [g for g in (*XIST, *Y_GENES) if g in have]
    if not len(cell_names(path)) or not genes:
        return {}
    counts = pd.DataFrame(columns(path, genes, "counts"), columns=genes, index=list(map(str, cell_names(path))))
    label = calls[(calls["status"] == SINGLET) & calls["cell"].notna()].set_index("cell")["label"]
    summed = counts.groupby(label.reindex(counts.index), sort=True).sum()
    if not {*XIST} & have or not {*Y_GENES} & have:
        return {}  # one side unmeasured: its zero would name a sex
    y = [g for g in genes if g in Y_GENES]
    return {(sample, str(one)): (float(row[list(XIST)].sum()), float(row[y].sum())) for one, row in summed.iterrows()}


def _genotypes(row: Row, path: str, calls: pd.DataFrame) -> Genotypes:
    found = read_vcf(path, str(row["genotypes"]))
    for label in sorted(calls.loc[calls["status"] == SINGLET, "label"].unique()):
        if label not in found.names:
            expected = f"a label of {row['calls']} in the header ({', '.join(found.names[:6])})"
            raise UserError(str(row["genotypes"]), "samples", str(label), expected, found.names)
    return found


def _all_calls(calls: Mapping[str, pd.DataFrame], matches: pd.DataFrame) -> pd.DataFrame:
    parts = [CALLS.empty()]
    keyed = matches.set_index(["sample", "label"])
    for sample, table in calls.items():
        part = table.assign(sample=sample)
        for column in ("person", "role"):
            of = keyed[column].xs(sample).to_dict() if sample in keyed.index.get_level_values(0) else {}
            part[column] = [of.get(label) if status == SINGLET else None
                            for label, status in zip(part["label"], part["status"], strict=True)]  # fmt: skip
        parts.append(CALLS.check(part[list(CALLS.columns)]))
    return CALLS.check(pd.concat(parts, ignore_index=True))
