"""What a panel can tell: which gates it feeds, and which populations it can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.errors import UserError
from cimlnk.cytof.gating.figure import draw_gates
from cimlnk.cytof.gating.picture import picture_of
from cimlnk.cytof.gating.pool import make_pool
from cimlnk.cytof.gating.read import read_sample
from cimlnk.cytof.gating.sample import gate_sample
from cimlnk.cytof.lineages import make_lineages
from cimlnk.populations.definitions_file import load_definitions

from .collect import FALLBACK, of_gates
from .findings import STOP, WARN, Findings

LINEAGES = ("CD3", "CD19", "CD20", "CD14", "CD33", "CD4", "CD8a", "TCRab", "TCRgd", "CD15", "CD66b")
MOST_EVENTS = 20_000
TECHNICAL_ROLES = ("time", "event_length", "gaussian", "scatter", "pulse", "dna", "bead", "barcode")
FLUORESCENCE, METALS = 50.0, 20.0  # cofactors from, and up to which no one uses them for the other kind of data
OTHER = {"cytof": "flow", "flow": "mass"}
DRAWN = 3  # batches, one file of each


def populations_of_panel(definitions: Path, measured: set[str], findings: Findings, *, title: str) -> None:
    """Which populations can be named, and what the others need: ``adaptive needs NKG2C``."""
    known = load_definitions(definitions)
    by_name = {d.name: d for d in known.populations}

    def lacking(name: str) -> list[str]:
        """Fewest features that are needed and not measured, over the alternatives of a definition and its parents."""
        definition = by_name[name]
        required: Any = definition.requires  # one mapping, or alternatives of which any suffices
        options = [required] if isinstance(required, Mapping) else list(required) or [{}]
        short = min(
            ([f for f in option if not measured & set(known.groups.get(f, (f,)))] for option in options), key=len
        )
        parents = [p for p in getattr(definition, "parents", ()) if p in by_name]
        above = min((lacking(p) for p in parents), key=len) if parents else []
        return list(dict.fromkeys([*short, *above]))

    rows = []
    for definition in known.populations:
        short = lacking(definition.name)
        more = [
            f for f in [*definition.positive, *definition.negative] if not measured & set(known.groups.get(f, (f,)))
        ]
        rows.append({"population": definition.name, "can be named": "no" if short else "yes",
                     "needs": ", ".join(short), "surer with": ", ".join(dict.fromkeys(more))})  # fmt: skip
    table = pd.DataFrame(rows)
    findings.tables[title] = table
    if (table["can be named"] == "no").all():
        findings.add(WARN, f"{title}: the panel can name no population; all NK cells would be unassigned")


def lineage_markers(panel: pd.DataFrame, identity: str, findings: Findings) -> None:
    """Whether the panel can tell NK cells from other lineages at all."""
    markers = set(panel.loc[panel["role"] != "ignore", "marker"])
    if not markers & set(LINEAGES):
        findings.add(
            STOP, "the panel has no lineage marker (CD3, CD19, CD14 …): NK cells cannot be distinguished from others"
        )
    elif "CD3" not in markers:
        others = sorted(markers & {"TCRab", "TCRgd", "CD4", "CD8a"})
        text = (
            f"T cells are known by {' and '.join(others)} alone, and those without count as NK cells where they "
            f"carry {identity}"
            if others
            else "T cells are known by Lineage alone, if its antibodies include CD3"
            if "Lineage" in markers
            else "T cells cannot be distinguished from NK cells by it"
        )
        findings.add(WARN, f"the panel has no CD3: {text}")
    if identity not in markers:  # the config's mistake, which stops the run, says what is expected
        findings.add(WARN, f"the panel has no {identity} and no other marker that tells NK cells")
    elif "CD56" not in markers:
        findings.add(WARN, f"the panel has no CD56: NK cells are found by {identity}, and no CD56 name can be given")


def odd_cofactors(panel: pd.DataFrame, modality: str, findings: Findings) -> None:
    """Cofactors of the other kind of cytometry, which a copied panel sheet brings along.

    Parameters
    ----------
    panel
        Rows of the sheet: marker, role, and the cofactor where the sheet gives one (else NaN).
    """
    used = panel[~panel["role"].isin(["ignore", *TECHNICAL_ROLES]) & panel["cofactor"].notna()]
    odd = used[used["cofactor"] >= FLUORESCENCE] if modality == "cytof" else used[used["cofactor"] <= METALS]
    if odd.empty:
        return
    shown = ", ".join(odd["marker"].head(4)) + (f" and {len(odd) - 4} more" if len(odd) > 4 else "")
    values = " to ".join(dict.fromkeys(f"{v:g}" for v in (odd["cofactor"].min(), odd["cofactor"].max())))
    usual = (
        "metals take about 5, and with so much dim cells look negative"
        if modality == "cytof"
        else "fluorescence takes hundreds or thousands; leave the cells empty, and they are estimated"
    )
    findings.add(WARN, f"cofactor {values} of {shown} is as in {OTHER[modality]} cytometry: {usual}")


def try_gates(
    samples: Sequence[Mapping[str, Any]], panel: Path, gates: Path, *, settings: Mapping[str, Any], seed: int,
    findings: Findings,
) -> None:  # fmt: skip
    """Gate a few files as a run does (20,000 events of each) and tell each gate on, fallback or off.

    A run knows all files of a batch, so that its cuts can be better than these, never worse.
    """
    with TemporaryDirectory() as folder:
        pool, lineages = _batches(
            samples, panel, gates, settings=settings, seed=seed, folder=Path(folder), findings=findings
        )
        _try(samples, panel, gates, settings=settings, seed=seed, pool=pool, lineages=lineages, findings=findings)


def _batches(
    samples: Sequence[Mapping[str, Any]], panel: Path, gates: Path, *, settings: Mapping[str, Any], seed: int,
    folder: Path, findings: Findings,
) -> tuple[Path | None, Path | None]:  # fmt: skip
    """What gating takes from the batches, made of these files alone; None where it cannot be made, or is not used."""
    files = {str(r["sample"]): r["path"] for r in samples}
    batches = {str(r["sample"]): str(r["batch"]) for r in samples}
    if settings["manual_gates"]["file"] or settings["target_lineage"] is None:
        return None, None
    pool, lineages = folder / "pool.json", folder / "lineages.npz"
    try:
        make_pool(files, batches, panel, gates=gates, output=pool, settings=settings, seed=seed, until="live")
        make_lineages(
            files=files, batches=batches, panel=panel, gate_file=gates, pool=pool, output=lineages, settings=settings,
            seed=seed,
        )  # fmt: skip
    except UserError as error:
        findings.add(WARN, f"lineages could not be determined: {str(error).splitlines()[0]}")
        return None, None
    return pool, lineages


def _try(
    samples: Sequence[Mapping[str, Any]], panel: Path, gates: Path, *, settings: Mapping[str, Any], seed: int,
    pool: Path | None, lineages: Path | None, findings: Findings,
) -> None:  # fmt: skip
    rows, drawn, found = [], set[Any](), list[int]()
    for row in samples:
        try:
            data = read_sample(row["path"], panel, settings)
            if len(data.events) > MOST_EVENTS:
                keep = np.linspace(0, len(data.events) - 1, MOST_EVENTS).astype(int)
                data.events, data.scaled = data.events[keep], data.scaled[keep]
            gated, course = gate_sample(
                data,
                str(row["sample"]),
                str(row["batch"]),
                gates=gates,
                pool=pool,
                settings=settings,
                seed=seed,
                lineages=lineages,
            )
        except UserError as error:
            findings.add(WARN, f"{row['sample']} could not be gated: {str(error).splitlines()[0]}")
            continue
        rows.append(gated.rows)
        if findings.folder is not None and row["batch"] not in drawn and len(drawn) < DRAWN:
            drawn.add(row["batch"])
            picture = findings.folder / f"{row['sample']}.png"
            draw_gates(picture_of(data, gated, course, sample=str(row["sample"])), picture)
            findings.pictures[f"{row['sample']} (batch {row['batch']})"] = picture
        n, nk = len(data.events), int(gated.chosen.sum())
        found.append(nk)
        if not nk:
            findings.add(WARN, f"{row['sample']}: no NK cell among {n:,} events looked at")
    if not rows:
        return
    if not any(found):
        looked = count(len(found), "file")
        findings.add(WARN, f"no NK cell in {looked} looked at: where no file of a cohort has any, its run stops")
    table = pd.concat(rows, ignore_index=True)
    for told in of_gates("cytof", table):
        if told["severity"] == "serious":
            findings.add(WARN, f"{told['sample']}: {told['text']}")
    lines = []
    for gate, part in table.groupby("gate", sort=False):
        state = np.where(part["method"] == "skipped", "off", np.where(part["method"].isin(FALLBACK), "fallback", "on"))
        kept = 100 * part["n_out"] / part["n_in"].clip(lower=1)
        reason = part.loc[state != "on", "reason"].dropna()
        line: dict[str, object] = {"gate": gate, "marker": part["marker"].iloc[0]}
        line |= {name: int((state == name).sum()) for name in ("on", "fallback", "off")}
        low, high = f"{kept.min():.3g}", f"{kept.max():.3g}"
        line |= {"kept %": low if low == high else f"{low}-{high}", "why": reason.iloc[0] if len(reason) else ""}
        lines.append(line)
    findings.tables["Gates tried on a few files"] = pd.DataFrame(lines)
