"""What the rule dynamics_expression runs: read pseudobulks, test genes and gene sets, write."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.tables import read_table, write_table
from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.dynamics.contrasts import contrasts
from cimlnk.dynamics.methods import tests_of
from cimlnk.dynamics.results import blank_confounded, with_fdr
from cimlnk.dynamics.tables import TESTS
from cimlnk.populations.pseudobulk import read_pseudobulk

from .differential import expression_tests
from .levels import matched_levels
from .signatures import log_cpm, read_gene_sets, scores
from .tables import SCORES

PathLike = str | Path
log = logging.getLogger(__name__)


def write_expression(
    *,
    pseudobulk: Sequence[PathLike],
    samples: PathLike,
    signatures: Sequence[PathLike],
    settings: Mapping[str, Any],
    state_settings: Mapping[str, Any],
    seed: int,
    threads: int,
    expression: PathLike,
    programmes: PathLike,
    score_table: PathLike,
    provenance: Mapping[str, Any],
) -> None:
    """Write TESTS of genes, TESTS of gene-set scores and the SCORES themselves; empty without scRNA-seq.

    Parameters
    ----------
    pseudobulk
        One file, or none.
    settings, state_settings
        Config ``dynamics.expression``, and ``dynamics.state`` (with ``baselines``) for contrasts and the fewest
        patients.
    """
    sets = read_gene_sets(signatures)
    usual = pd.Series(dtype=float)
    genes, tested, scored = [], [], []
    common = {"baselines": state_settings["baselines"], "reference_arm": state_settings["reference_arm"]}
    if pseudobulk:
        counts, rows = read_pseudobulk(pseudobulk[0])
        sheet = read_table(samples).set_index("sample", drop=False)
        rows = rows[(rows["n_cells"] >= settings["min_cells"]) & (rows["population"] != UNASSIGNED)]
        every = rows.index[rows["population"] == NK]
        if len(every):
            total = counts[every]
            usual = log_cpm(total[total.sum(axis=1) > 0]).mean(axis=1)
        for population, group in rows.groupby("population", sort=True):
            of = sheet.loc[sorted(group["sample"])].reset_index(drop=True)
            keys = group.reset_index().set_index("sample")[group.index.name or "index"]
            own = counts[keys.loc[of["sample"]].tolist()].set_axis(of["sample"].tolist(), axis=1)
            log.info("%s: %d pseudobulks", population, len(of))
            genes.append(
                expression_tests(
                    own,
                    of,
                    str(population),
                    method=settings["method"],
                    min_patients=state_settings["min_patients"],
                    min_count=settings["min_count"],
                    threads=threads,
                    **common,
                )
            )
            if len(of) < 3:
                continue
            wide, measured = scores(own, sets, settings["min_genes"])
            if wide.empty:
                continue
            long = wide.rename_axis("signature").reset_index().melt("signature", var_name="sample", value_name="score")
            long = long.assign(population=population, n_genes=long["signature"].map(measured))
            level = matched_levels(log_cpm(own), usual, sets, min_genes=settings["min_genes"], seed=seed)
            at = list(zip(long["signature"], long["sample"], strict=True))
            for name, table in (("level", level.level), ("level_z", level.z), ("level_p", level.p)):
                long[name] = table.stack().reindex(at).to_numpy() if len(table) else float("nan")
            scored.append(long)
            wide.index = pd.MultiIndex.from_product([[population], wide.index])
            todo = contrasts(of, **common)
            programme_tests = tests_of(
                wide,
                of,
                todo,
                test="signature",
                unit="mean z",
                modality="rna",
                min_patients=state_settings["min_patients"],
                seed=seed,
            )
            tested += [blank_confounded(table, of, todo) for table in programme_tests]
    write_table(with_fdr(genes, ("test", "contrast")), expression, TESTS, provenance=provenance)
    write_table(with_fdr(tested), programmes, TESTS, provenance=provenance)
    write_table(pd.concat(scored) if scored else SCORES.empty(), score_table, SCORES, provenance=provenance)
