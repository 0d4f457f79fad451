"""Everything a user wrote for a later stage, loaded before anything is run: late faults cost a night."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.home import locate
from cimlnk.common.vocabulary import CYTOMETRY
from cimlnk.cytof.gating.spec import load_gates
from cimlnk.populations.definitions_file import load_definitions
from cimlnk.rna.genes import load_lineages


def check_early(cfg: Mapping[str, Any], columns: Iterable[str] | None, base: str | Path = ".") -> None:
    """Load the definitions, gates, lineages and gene sets a config names; look up its bounds and formula's columns.

    Parameters
    ----------
    cfg
        The resolved config.
    columns
        Columns of the sample and patients sheets; None, if they could not be read, leaves the formula aside.
    base
        Folder to which paths refer.

    Raises
    ------
    UserErrors
        All mistakes of all files.
    """
    from cimlnk.dynamics.expression.signatures import read_gene_sets

    problems = Problems()

    def attempt(load: Callable[[Any], object], what: Any) -> None:
        try:
            load(what)
        except UserError as error:
            problems.extend(error)

    for section in CYTOMETRY:
        attempt(load_gates, locate(cfg[section]["gates"], base))
    attempt(load_lineages, locate(cfg["rna"]["lineages"], base))
    for modality in ("cytof", "rna"):
        attempt(load_definitions, locate(cfg["populations"][modality]["definitions"], base))
    attempt(read_gene_sets, [locate(path, base) for path in cfg["dynamics"]["expression"]["signatures"]])
    if cfg["claims"]["bounds"]:
        from cimlnk.claims.evaluate import load_claims, with_bounds

        attempt(
            lambda bounds: with_bounds(load_claims(locate("seeds/claims.yaml", base)), bounds), cfg["claims"]["bounds"]
        )
    if columns is not None:
        check_formula(cfg["dynamics"]["tests"]["formula"], columns, problems)
    problems.raise_if_any()


def check_synthetic(cfg: Mapping[str, Any], base: str | Path = ".") -> None:
    """Whether the sheets of a synthetic cohort are those of its size and seed; else its files would be made in vain.

    Raises
    ------
    UserError
        If a sheet is none, or differs from what the generator writes. Of real data nothing is asked.
    """
    if cfg["simulate"] is None:
        return
    from cimlnk.simulate.sheets import check_sheets

    sheets = {}
    for name in ("samples", "counts", "patients"):
        if cfg["cohort"][name] is None:
            raise UserError("config", f"cohort.{name}", Plain("nothing"), "the sheet of the synthetic cohort")
        sheets[name] = locate(cfg["cohort"][name], base)
    check_sheets(cfg["simulate"]["size"], cfg["simulate"]["seed"], cfg["cohort"]["id"], **sheets)


def check_formula(formula: str, columns: Iterable[str], problems: Problems) -> None:
    """Whether every variable of a formula is a column of the sheets; ``auto`` is made to fit."""
    if formula == "auto":
        return
    from formulaic import Formula
    from formulaic.errors import FormulaicError, FormulaSyntaxError

    known = sorted({*columns})
    where = "dynamics.tests.formula"
    try:
        wanted = sorted(map(str, Formula(formula).required_variables))
    except (FormulaicError, FormulaSyntaxError, SyntaxError, ValueError, TypeError, RecursionError) as error:
        words = " ".join(str(error).split())[:120]
        problems.add("config", where, formula, f"a formula over columns of the sheets ({words})")
        return
    for name in wanted:
        if name not in known:
            problems.add("config", where, name, "a column of the sample or patients sheet", known)
