"""What a finished stage has to say in half a line, from the tables it has just written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from cimlnk.cohort.words import count

MODALITY = {"cytof": "mass cytometry", "flow": "flow cytometry", "rna": "RNA"}


def headline(stage: str, root: Path | None) -> str:
    """Half a line about a stage, named by the first word of its rules; "" where there is nothing to say.

    Tables that this run did not write (a stage done in part) are left out.
    """
    maker = {
        "cohort": _cohort, "cytof": _cells, "flow": _cells, "rna": _cells, "graph": _graph, "populations": _populations,
        "dynamics": _dynamics, "claims": _claims, "quality": _quality,
    }.get(stage)  # fmt: skip
    if root is None or maker is None:
        return ""
    try:
        return maker(root, stage)
    except (OSError, ValueError, KeyError) as error:  # a table of another version, or on a disk that is full
        return f"nothing to show of its tables ({type(error).__name__})"


def _table(root: Path, name: str, columns: list[str] | None = None) -> pd.DataFrame | None:
    path = root / name
    return pd.read_parquet(path, columns=columns) if path.is_file() else None


def _cohort(root: Path, stage: str) -> str:
    table = _table(root, "cohort/samples.parquet")
    if table is None:
        return ""
    patients, days = table["patient"].nunique(), table["day"].nunique()
    return f"{count(len(table), 'file')} of {count(patients, 'patient')}, {count(days, 'day')}"


def _cells(root: Path, stage: str) -> str:
    table = _table(root, f"{stage}/summary.parquet")
    if table is None:
        return ""
    used = table[~table["left_out"]]
    words = []
    if len(used):
        share = 100 * used["n_nk"] / used["n_events"].clip(lower=1)
        low, high = f"{share.min():.2g}", f"{share.max():.2g}"
        said = low if low == high else f"{low}-{high}"
        words.append(f"{used['n_nk'].sum():,} NK cells, {said} % of a file")
    if len(used) < len(table):
        words.append(f"{len(table) - len(used)} of {count(len(table), 'sample')} left out")
    return " · ".join(words)


def _graph(root: Path, stage: str) -> str:
    words: list[str] = []
    for modality, name in MODALITY.items():
        path = root / modality / "cluster_support.parquet"
        table = pd.read_parquet(path) if path.is_file() else None
        if table is not None and len(table):
            # the word once: two of them do not fit on a line of 80
            words.append(f"{name} {f'{len(table):,}' if words else count(len(table), 'cluster')}")
    return ", ".join(words)


def _populations(root: Path, stage: str) -> str:
    words = []
    for modality, name in MODALITY.items():
        table = _table(root, f"{modality}/populations.parquet", ["population"])  # of cells: a cluster may hold two
        if table is not None and len(table):
            of = table["population"].value_counts()
            n = len(of.drop("unassigned", errors="ignore"))
            without = of.get("unassigned", 0) / len(table)
            words.append(f"{name} {count(n, 'population')}, {without:.0%} unassigned")
    return "; ".join(words)


def _dynamics(root: Path, stage: str) -> str:
    table = _table(root, "dynamics/tests.parquet", ["fdr"])
    if table is None or not len(table):
        return ""
    return f"{int((table['fdr'] < 0.05).sum())} of {len(table)} abundance tests at FDR < 0.05"


def _claims(root: Path, stage: str) -> str:
    table = _table(root, "claims/claims.parquet", ["kind", "verdict"])
    if table is None:
        return ""
    findings = table.loc[table["kind"] == "finding", "verdict"].value_counts()
    return "findings: " + (", ".join(f"{n} {verdict}" for verdict, n in findings.items()) or "none can be asked here")


def _quality(root: Path, stage: str) -> str:
    table = _table(root, "quality/warnings.parquet", ["severity"])
    if table is None:
        return ""
    n = table["severity"].value_counts()
    return f"{n.get('serious', 0)} serious, {n.get('caution', 0)} to read with care, {n.get('note', 0)} notes"
