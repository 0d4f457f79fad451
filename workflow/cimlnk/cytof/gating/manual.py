"""Gates drawn by hand (GatingML 2.0 or a FlowJo workspace), applied by FlowKit instead of the data-driven ones."""

from __future__ import annotations

import logging
import re
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cimlnk.common.errors import Plain, UserError
from cimlnk.cytof.fcs.header import FcsHeader, read_events
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.panel import Matched
from cimlnk.cytof.tables import GATES

from .gate import Gated
from .workspaces import single_sample

log = logging.getLogger("cimlnk.cytof")
NODES = {"live": "live_singlets", "lymphocytes": "lymphocytes", "nk": "nk"}


def gate_manually(
    header: FcsHeader,
    matched: Matched,
    settings: Mapping[str, Any],
    *,
    sample: str,
    start: NDArray[np.bool_],
    gatingml: str | Path | None = None,
) -> Gated:
    """Membership of the three gates the pipeline needs, as drawn by hand.

    Parameters
    ----------
    header
        The file; its name is the sample's name in a workspace.
    matched
        The panel in this file.
    settings
        Section `cytof.manual_gates`: `file` and the names of the gates `live_singlets`, `lymphocytes` and `nk`. A name
        that occurs in several places of the hierarchy is given with its path, ``"cells/live/nk"``.
    sample
        Sample id for the table.
    start
        Events of good acquisition; others pass no gate.
    gatingml
        Where FlowKit writes the sample's gates again as GatingML 2.0; None for nowhere.

    Raises
    ------
    UserError
        If the file cannot be read by FlowKit, does not know the sample or a gate, or names a channel the FCS file
        lacks.
    """
    path = Path(settings["file"])
    if not path.is_file():
        raise UserError(path, "config key cytof.manual_gates.file", Plain("no such file"), "GatingML or a workspace")
    members = _apply(path, header, gatingml)
    nodes: dict[str, NDArray[np.bool_]] = {}
    rows: list[dict[str, Any]] = []
    parent: str | None = None
    n_in = int(start.sum())
    for node, key in NODES.items():
        mask = _member(members, str(settings[key]), path, key=f"cytof.manual_gates.{key}") & start
        nodes[node] = mask
        n_out = int(mask.sum())
        row: dict[str, Any] = {"sample": sample, "step": len(rows), "gate": node, "parent": parent}
        row |= {"n_in": n_in, "n_out": n_out, "n_out_low": n_out, "n_out_high": n_out}
        row |= dict.fromkeys(("channel", "marker", "side"))
        row |= dict.fromkeys(("threshold", "threshold_low", "threshold_high"), float("nan"))
        rows.append({**row, "method": "manual", "reason": f"gate {settings[key]} of {path.name}"})
        parent, n_in = node, n_out
    n_nk = float(nodes["nk"].sum())
    return Gated(GATES.check(pd.DataFrame(rows)), nodes, [], {}, "nk", n_nk, n_nk, {}, matched.channels)


def _apply(path: Path, header: FcsHeader, gatingml: str | Path | None) -> dict[tuple[str, ...], NDArray[np.bool_]]:
    """Events in every gate of the file, by the gate's path."""
    import flowkit as fk

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # FlowKit refuses many files of real instruments: it gets a clean copy of what was read
        copy = Path(folder) / header.path.name
        kept = {k: v for k, v in header.text.items() if re.fullmatch(r"\$TIMESTEP|.*SPILL.*|\$P\d+G", k)}
        write_fcs(copy, read_events(header), header.channels, markers=header.markers, metadata=kept)
        try:
            data = fk.Sample(str(copy), sample_id=header.path.name)
            if path.suffix.lower() == ".wsp":
                one = single_sample(path, header, Path(folder))
                workspace = fk.Workspace(str(one), fcs_samples=[data], load_missing_file_data=True)
                strategy = workspace.get_gating_strategy(header.path.name)
            else:
                strategy = fk.parse_gating_xml(str(path))
            results = strategy.gate_sample(data)
        except UserError:
            raise
        except Exception as e:  # noqa: BLE001 - FlowKit raises many kinds for a faulty file; all are the file's fault
            raise UserError(path, "gates", Plain(f"{type(e).__name__}: {e}"), f"gates for {header.path.name}") from e
        if gatingml is not None:
            Path(gatingml).parent.mkdir(parents=True, exist_ok=True)
            with Path(gatingml).open("wb") as f:
                fk.export_gatingml(strategy, f, sample_id=header.path.name)
        found = {}
        for name, gate_path in strategy.get_gate_ids():
            found[(*gate_path, name)] = results.get_gate_membership(name, gate_path="/".join(gate_path))
        return found


def _member(
    members: Mapping[tuple[str, ...], NDArray[np.bool_]], wanted: str, path: Path, *, key: str
) -> NDArray[np.bool_]:
    parts = tuple(wanted.split("/"))
    hits = [k for k in members if k[-len(parts) :] == parts]
    if len(hits) == 1:
        return np.asarray(members[hits[0]], dtype=bool)
    names = sorted({k[-1] for k in members})
    if not hits:
        raise UserError(path, f"config key {key}", wanted, f"a gate of the file ({', '.join(names)})", names)
    places = "; ".join("/".join(h[1:]) for h in sorted(hits))
    raise UserError(path, f"config key {key}", wanted, f"one gate, but there are {places}: give the path")
