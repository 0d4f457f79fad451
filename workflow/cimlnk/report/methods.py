"""A Methods paragraph with the run's own numbers, to be put into a manuscript and corrected there."""

from __future__ import annotations

from typing import Any

from cimlnk.cohort.words import count
from cimlnk.common.palette import label, order
from cimlnk.common.vocabulary import NK, UNASSIGNED
from cimlnk.dynamics.tables import METHODS

from .reading import infused
from .run import Run

REFERENCES = {
    "Leiden": "Traag 2019, doi:10.1038/s41598-019-41695-z",
    "UMAP": "McInnes 2018, arXiv:1802.03426",
    "Harmony": "Korsunsky 2019, doi:10.1038/s41592-019-0619-0",
    "Gating-ML": "Spidlen 2015, doi:10.1002/cyto.a.22690",
    "exposure": "Stein 2019, doi:10.1002/psp4.12388",
    "cohort": "Shapiro 2022, doi:10.1172/JCI154334",
}


def paragraphs(run: Run) -> list[str]:
    """Plain sentences, one paragraph a step, every number from this run; steps without results are left out."""
    samples = run.samples
    words = [_files(run, samples)]
    for modality in run.modalities:
        words.append(_cells(run, modality))
    words.append(_statistics(run))
    applied = str(run.json("rna/features.json").get("integration", {}).get("method")).lower() == "harmony"
    used = {k: v for k, v in REFERENCES.items() if k != "Harmony" or applied}
    words.append("References: " + "; ".join(f"{k}: {v}" for k, v in used.items()) + ".")
    return [w for w in words if w]


def _files(run: Run, samples: Any) -> str:
    arms = ", ".join(f"{a} (n = {g['patient'].nunique()})" for a, g in samples.groupby("arm"))
    kinds = {"cytof": "mass cytometry (FCS)", "flow": "flow cytometry (FCS)", "rna": "single-cell RNA sequencing"}
    sizes = samples["modality"].value_counts()
    counted = " and ".join(f"{count(sizes[m], 'file')} of {k}" for m, k in kinds.items() if m in sizes)
    first, last = samples["day"].min(), samples["day"].max()
    days = "" if first == last else f", of days {first} to {last}" + (" after infusion" if infused(run) else "")
    text = f"{count(samples['patient'].nunique(), 'patient')} ({arms}) contributed {counted}{days}."
    if run.config.get("simulate"):
        text += " The files are synthetic."
    return text


def _cells(run: Run, modality: str) -> str:
    summary, graph = run.table(f"{modality}/summary.parquet"), run.json(f"{modality}/graph.json")
    info, named = run.json(f"{modality}/clustering.json"), run.table(f"{modality}/annotation.parquet")
    if not len(summary):
        return ""
    used = summary[~summary["left_out"]]
    events, nk = int(used["n_events"].sum()), int(used["n_nk"].sum())
    by = "gates (written as Gating-ML 2.0)"
    if "n_nk_lineage" in used and used["n_nk_lineage"].notna().any():
        by = f"their lineage, called by clusters in all lineage markers, to which {by} were fitted"
    how = {
        "cytof": ("events in", "file", f"live single NK cells by {by}"),
        "flow": ("events in", "file", f"live single NK cells by {by}"),
        "rna": ("barcodes in", "sample", "NK cells after quality control, doublet removal and lineage scoring"),
    }[modality]
    text = f"Of {events:,} {how[0]} {count(len(used), how[1])}, {nk:,} were {how[2]}."
    if len(used) < len(summary):
        lost = len(summary) - len(used)
        text += f" {count(lost, 'sample')} {'was' if lost == 1 else 'were'} left out."
    if graph.get("recall") is not None:
        k = run.config.get("graph", {}).get("k")
        text += f" A graph of {f'{k} ' if k else ''}nearest neighbours (measured recall {float(graph['recall']):.3f})"
        resolution = info.get("resolution")
        at = f" at resolution {float(resolution):g}" if resolution is not None else ""
        text += f" was clustered by Leiden{at} ({count(named['cluster'].nunique(), 'cluster')}) and laid out by UMAP."
    found = [p for p in dict.fromkeys(named["population"]) if p not in (UNASSIGNED, NK)]
    if found:
        text += f" Clusters were named {'; '.join(label(p) for p in order(found))}, by marker definitions."
        lost = named.loc[named["population"] == UNASSIGNED, "n_cells"].sum() / max(named["n_cells"].sum(), 1)
        text += f" {lost:.1%} of the cells stayed unassigned."
    return text


def _statistics(run: Run) -> str:
    tests = run.table("dynamics/tests.parquet")
    parts = []
    if len(tests):
        methods = sorted(METHODS.get(m, m) for m in set(tests["method"].astype(str)) - {"none"})
        n = int(tests["n_patients"].max())
        parts.append(
            f"Changes of abundance were tested with the patient as the unit (at most {n}) by these "
            f"methods: {'; '.join(methods)}. "
            "False discovery rates are Benjamini-Hochberg within a test, modality and contrast, intervals 95 %."
        )
    kinetics = run.table("dynamics/kinetics.parquet")
    if len(kinetics) and kinetics["model_peak_fold"].notna().any():
        fitted = int(kinetics["model_peak_fold"].notna().sum())
        model = "A piecewise log-linear model with partial pooling"
        parts.append(f"{model} was fitted to {fitted} of {len(kinetics)} series.")
    versions = run.provenance("dynamics/tests.parquet").get("versions", {})
    if versions:
        named = ", ".join(f"{p} {v}" for p, v in sorted(versions.items()) if v != "absent")
        parts.append(f"Versions: {named}; seed {run.config.get('seed')}.")
    return " ".join(parts)
