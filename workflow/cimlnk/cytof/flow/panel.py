"""One panel of all flow-cytometry files of a cohort, with a cofactor for every channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.cohort.read import read_sheet
from cimlnk.common import seeds
from cimlnk.common.errors import LeftOutBefore, Plain, Problems, UserError
from cimlnk.common.job import keep_going
from cimlnk.common.sheet import is_missing
from cimlnk.common.tables import write_table
from cimlnk.cytof.fcs.header import FcsHeader, read_events, read_header
from cimlnk.cytof.panel import UNREAD, load_panel, match_panel

from .cofactors import estimate_cofactors
from .files import SHAPE
from .tables import COFACTORS

SCATTER_COFACTOR = 150.0  # of scatter: far below what any cell scatters, so that the scale is logarithmic
EVENTS = 60_000  # drawn over all files for the cofactors
PANEL_COLUMNS = ("channel", "marker", "role", "cofactor", "threshold", "cluster")


def given_cofactors(panel: str | Path) -> dict[str, float]:
    """Channel -> cofactor of the rows of a panel sheet that give one."""
    from cimlnk.common.sheet import number

    sheet = read_sheet(
        panel, ("channel", "marker", "role"), ("cofactor", "cluster", "threshold"), file=str(panel), closed=True
    )
    rows = [cells for _, cells in sheet.rows if not is_missing(cells.get("cofactor", ""))]
    found = {cells["channel"]: number(cells["cofactor"], sheet.decimal_comma) for cells in rows}
    return {k: v for k, v in found.items() if v is not None}


def make_panel(
    *,
    files: Mapping[str, str | Path],
    panel: str | Path,
    output: str | Path,
    cofactors: str | Path,
    seed: int,
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write the panel of a cohort's flow files with a cofactor for every channel.

    Parameters
    ----------
    files
        Files of :func:`compensate_file` by sample.
    panel
        The user's panel sheet; a cofactor given there is kept.
    output
        Panel sheet written: the rows that are read, forward scatter, the pulse and Time added; a channel of role `dump`
        is called ``Lineage``.
    cofactors
        Written: the table COFACTORS, with how each was found.
    seed
        Stream of the draw: 60,000 events over all files, small ones whole.

    Raises
    ------
    UserError
        If no file can be read. With ``--keep-going`` a file that was left out is passed over.
    """
    sheet, given = load_panel(panel), given_cofactors(panel)
    parts, seen = [], []
    sizes = {}
    for sample, path in files.items():
        header = read_header(path)
        if "CIMLNK_LEFT_OUT" in header.text:
            if not keep_going():
                raise LeftOutBefore(path, header.text["CIMLNK_LEFT_OUT"])
            continue
        sizes[sample] = header
    if not sizes:
        raise UserError(panel, "flow files", Plain("none that can be used"), "at least one")
    stained = sheet[~sheet["role"].isin([*UNREAD, "time", "scatter", "pulse"])]
    share = max(EVENTS // len(sizes), 200)
    for sample, header in sizes.items():
        matched = match_panel(header, stained)
        seen.append(header)
        events = read_events(header, [c.channel for c in matched.channels])
        if len(events) > share:
            some = seeds.rng(seed, "flow cofactors", sample).choice(len(events), share, replace=False)
            events = events[np.sort(some)]
        parts.append(pd.DataFrame(np.asarray(events), columns=[c.marker for c in matched.channels]))
    pooled = pd.concat(parts, ignore_index=True)
    rows = [r for r in stained.to_dict("records") if r["marker"] in pooled]
    found, reasons = _estimate(pooled[[r["marker"] for r in rows]])
    out, table = [], []
    for row, cofactor, reason in zip(rows, found, reasons, strict=True):
        by_user = given.get(str(row["channel"]))
        method = "given" if by_user is not None else "estimated" if reason is None else "median"
        value = by_user if by_user is not None else float(f"{cofactor:.4g}")
        dump = row["role"] == "dump"
        out.append(row | {"cofactor": value} | ({"marker": "Lineage", "role": "lineage"} if dump else {}))
        told = None if by_user is not None else reason
        table.append(
            {"channel": row["channel"], "marker": row["marker"], "cofactor": value, "method": method, "reason": told}
        )
    out += _added(seen, {r["channel"] for r in out})
    _check_names(out, panel)
    frame = pd.DataFrame(out)[list(PANEL_COLUMNS)]
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(output, sep="\t", index=False, lineterminator="\n", float_format="%.6g")
    write_table(pd.DataFrame(table), cofactors, COFACTORS, provenance=provenance)


def _estimate(pooled: pd.DataFrame) -> tuple[NDArray[np.float64], list[str | None]]:
    """Cofactors of the pooled channels; events of files that lack a channel are passed over in it."""
    if not pooled.isna().any().any():
        return estimate_cofactors(pooled.to_numpy(np.float64))
    lists = [pooled[c].dropna().to_numpy(np.float64) for c in pooled]
    return estimate_cofactors(lists)


def _added(headers: Sequence[FcsHeader], there: set[str]) -> list[dict[str, Any]]:
    """Rows for what the preparation wrote."""
    rows: list[dict[str, Any]] = []
    kinds = {"Time": "time", "time": "time", "TIME": "time", "FSC-A": "scatter", SHAPE: "pulse"}
    for name, role in kinds.items():
        if name not in there and any(name in h.channels for h in headers) and role not in {r["role"] for r in rows}:
            cofactor = SCATTER_COFACTOR if role == "scatter" else 5.0
            row = {"channel": name, "marker": "Time" if role == "time" else name, "role": role, "cofactor": cofactor}
            rows.append(row | {"threshold": float("nan"), "cluster": "no"})
    return rows


def _check_names(rows: Sequence[Mapping[str, Any]], panel: str | Path) -> None:
    names = [r["marker"] for r in rows]
    if names.count("Lineage") > 1:
        problems = Problems()
        expected = "one dump channel, and no marker called Lineage beside it"
        problems.add(
            panel, "column role", Plain(f"{names.count('Lineage')} channels that are read as Lineage"), expected
        )
        problems.raise_if_any()
