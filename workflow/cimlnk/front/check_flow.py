"""Look at every flow-cytometry file before a run: instrument, spillover, cofactors, and what the gates would keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from cimlnk.cohort.panel import panel_file
from cimlnk.cohort.words import count
from cimlnk.common.errors import UserError
from cimlnk.common.home import locate
from cimlnk.cytof.fcs.header import FcsHeader
from cimlnk.cytof.flow.files import compensate_file, compensated_events
from cimlnk.cytof.flow.panel import make_panel
from cimlnk.cytof.flow.read import read_linear
from cimlnk.cytof.panel import load_panel, match_panel

from .check_files import Refused, look_at_events
from .check_panel import try_gates
from .findings import NOTE, STOP, WARN, Findings

PER_BATCH, GATED = 1, 3  # files that are gated


def look_at_flow(
    rows: Sequence[Mapping[str, Any]], cfg: Mapping[str, Any], base: Path, *, findings: Findings, gate: bool
) -> dict[str, FcsHeader]:
    """Header, instrument and spillover of each file; of a few also cofactors and gates. The usable ones by sample.

    Parameters
    ----------
    rows
        ``sample``, ``path`` and ``batch`` of each.
    cfg, base
        The resolved config, and the folder to which its paths refer.
    gate
        Whether gates are tried (not where the sheets have mistakes).
    """
    name = panel_file(cfg, "flow")
    sheet = locate(name, base) if name is not None else None
    given = cfg["flow"]["compensation"]["matrix"]
    matrix = locate(given, base) if given else None
    try:
        panel = load_panel(sheet) if sheet is not None else None
    except UserError:  # told with the sheets
        panel = None
    headers: dict[str, FcsHeader] = {}
    table = []
    refused = Refused(panel, {})
    for row in rows:
        sample = str(row["sample"])
        try:
            data = read_linear(row["path"])
        except UserError as error:
            findings.add(WARN, f"{sample} would be left out: {str(error).splitlines()[0]}")
            continue
        try:
            notes = list(match_panel(data.header, panel).notes) if panel is not None else []
        except UserError as error:
            refused.add(sample, data.header, error)
            continue
        try:
            _, done = compensated_events(data, cfg["flow"]["compensation"], matrix)
        except UserError as error:
            findings.add(WARN, f"{sample} would be left out: {str(error).splitlines()[0]}")
            continue
        headers[sample] = data.header
        if "taken as" in done["evidence"]:
            findings.add(WARN, f"{sample}: spillover: {done['evidence']}; say it by flow.compensation.apply if not so")
        said = f"{done['source']}, {'applied' if done['applied'] else 'not applied'}: {done['evidence']}"
        table.append({"sample": sample, "events": data.header.n_events, "channels": len(data.header.channels),
                      "instrument": data.header.text.get("$CYT", ""), "date": data.header.text.get("$DATE", ""),
                      "spillover": said, "notes": "; ".join([*data.header.notes, *data.notes, *notes])})  # fmt: skip
    for text in refused.texts():
        findings.add(WARN, text)
    look_at_events({s: h.n_events for s, h in headers.items()}, cfg["cytof"]["minimum_events"], findings)
    if table:
        findings.tables["Flow cytometry files"] = pd.DataFrame(table)
    if rows and not headers:
        findings.add(STOP, f"none of {count(len(rows), 'flow cytometry file')} can be used")
    if gate and headers and sheet is not None and panel is not None:
        chosen = pd.DataFrame([r for r in rows if r["sample"] in headers])
        some = chosen.groupby("batch", sort=True).head(PER_BATCH).head(GATED)
        _try(some.to_dict("records"), sheet, matrix, cfg=cfg, base=base, findings=findings)
    return headers


def _try(
    rows: Sequence[Mapping[str, Any]], sheet: Path, matrix: Path | None, *, cfg: Mapping[str, Any], base: Path,
    findings: Findings,
) -> None:  # fmt: skip
    own = cfg["flow"]
    if own["manual_gates"]["file"]:
        findings.add(NOTE, "flow cytometry: gates drawn by hand are used; they were not tried here")
        return
    with TemporaryDirectory() as folder:
        ready = []
        for row in rows:
            output = Path(folder) / f"{row['sample']}.fcs"
            compensate_file(
                fcs=row["path"], panel=sheet, matrix=matrix, output=output, record=output.with_suffix(".json"),
                settings=own["compensation"],
            )  # fmt: skip
            ready.append({**row, "path": output})
        panel, table = Path(folder) / "panel.tsv", Path(folder) / "cofactors.parquet"
        try:
            files = {str(r["sample"]): r["path"] for r in ready}
            make_panel(files=files, panel=sheet, output=panel, cofactors=table, seed=cfg["seed"])
        except UserError as error:
            findings.add(STOP, str(error))
            return
        found = pd.read_parquet(table)
        findings.tables["Cofactors"] = found
        for row in found[found["method"] == "median"].to_dict("records"):
            findings.add(NOTE, f"{row['marker']} ({row['channel']}): cofactor {row['cofactor']:g}: {row['reason']}")
        settings = cfg["cytof"] | {key: own[key] for key in ("nk_identity", "target_lineage", "manual_gates")}
        settings |= {"input_scale": "fluorescence"}
        gates = locate(own["gates"], base)
        try_gates(ready, panel, gates, settings=settings, seed=cfg["seed"], findings=findings)
