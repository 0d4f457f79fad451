"""Write the gates of a sample as GatingML 2.0, so that FlowKit, FlowJo or Cytobank apply them again to the same cells.

The format is that of the ISAC standard (Spidlen 2015, doi:10.1002/cyto.a.22690). Thresholds are written for the values
as stored in the file (no transformation), which every program understands in the same way.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cimlnk.cytof.acquisition import Acquisition
from cimlnk.cytof.fcs.header import FcsHeader
from cimlnk.cytof.panel import LINEAR, Channel

from .cuts import passes
from .gate import Gated

SPACE = "http://www.isac-net.org/std/Gating-ML/v2.0/"
GATING, DATA = f"{{{SPACE}gating}}", f"{{{SPACE}datatypes}}"


def gate_id(gate: str) -> str:
    """A gate's name as an XML id: ``intact (DNA1 low)`` -> ``intact_DNA1_low``."""
    name = re.sub(r"\W+", "_", gate).strip("_")
    return name if re.match(r"[^\W\d]", name) else f"g_{name}"


def write_gatingml(
    path: str | Path,
    gated: Gated,
    course: Acquisition,
    *,
    header: FcsHeader,
    events: NDArray[np.floating],
    scaled: NDArray[np.floating],
    transformed: bool,
) -> None:
    """Write all gates of a sample, each under its name in the gate table.

    Parameters
    ----------
    path
        The XML file.
    gated, course
        From :func:`cimlnk.cytof.cells.gate_sample`.
    header
        Of the file gated: channel names, $TIMESTEP and $PnG (programs apply gates after these).
    events, scaled
        The events as stored and on the gating scale; a threshold is placed between the last value on one side and the
        first on the other where rounding would move an event across.
    transformed
        Whether the stored values are the gating scale already (no sinh on the way back).
    """
    ET.register_namespace("gating", f"{SPACE}gating")
    ET.register_namespace("data-type", f"{SPACE}datatypes")
    root = ET.Element(f"{GATING}Gating-ML")
    parent = _time_gate(root, course, gated, header=header)
    for cut, threshold in gated.cuts:
        if not np.isfinite(threshold.value):
            continue
        name = gate_id(cut.gate)
        if cut.side == "not_all_above":
            box = _gate(root, "RectangleGate", f"{name}_excluded", parent=parent)
            for channel in cut.channels:
                keep = passes(scaled[:, channel.column], cut, threshold.value)
                low = _stored(threshold.value, channel, events[:, channel.column], above=~keep, transformed=transformed)
                _range(box, header, channel.channel, low=low)
            outside = _gate(root, "BooleanGate", name, parent=parent)
            _not(outside, f"{name}_excluded")
        else:
            channel = cut.channels[0]
            keep = passes(scaled[:, channel.column], cut, threshold.value)
            above = keep if cut.side == "above" else ~keep
            at = _stored(threshold.value, channel, events[:, channel.column], above=above, transformed=transformed)
            box = _gate(root, "RectangleGate", name, parent=parent)
            _range(box, header, channel.channel, **({"low": at} if cut.side == "above" else {"high": at}))
        parent = name
    ET.indent(root, " ")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)


def write_empty(path: str | Path) -> None:
    """A file without gates, for a sample that is left out."""
    ET.register_namespace("gating", f"{SPACE}gating")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(ET.Element(f"{GATING}Gating-ML")).write(path, encoding="UTF-8", xml_declaration=True)


def _not(gate: ET.Element, name: str) -> None:
    ET.SubElement(ET.SubElement(gate, f"{GATING}not"), f"{GATING}gateReference", {f"{GATING}ref": name})


def _time_gate(root: ET.Element, course: Acquisition, gated: Gated, *, header: FcsHeader) -> str | None:
    """Everything outside the masked stretches of time; None if nothing is masked."""
    time = next((c for c in gated.channels if c.role == "time"), None)
    if time is None or not course.bad.any():
        return None
    edge = np.flatnonzero(np.diff(np.concatenate([[0], course.bad.astype(np.int8), [0]])))
    names = []
    for i, (a, b) in enumerate(zip(edge[::2], edge[1::2], strict=True)):
        name = f"bad_time_{i + 1}"
        box = _gate(root, "RectangleGate", name, parent=None)
        low = float(course.edges[a]) if a > 0 else None
        high = float(course.edges[b]) if b < len(course.bad) else None
        _range(box, header, time.channel, low=low, high=high)
        names.append(name)
    good = _gate(root, "BooleanGate", "good_time", parent=None)
    if len(names) == 1:
        _not(good, names[0])
    else:
        both = ET.SubElement(good, f"{GATING}and")
        for name in names:
            attributes = {f"{GATING}ref": name, f"{GATING}use-as-complement": "true"}
            ET.SubElement(both, f"{GATING}gateReference", attributes)
    return "good_time"


def _gate(root: ET.Element, kind: str, name: str, *, parent: str | None) -> ET.Element:
    attributes = {f"{GATING}id": name}
    if parent is not None:
        attributes[f"{GATING}parent_id"] = parent
    return ET.SubElement(root, f"{GATING}{kind}", attributes)


def _range(
    gate: ET.Element, header: FcsHeader, channel: str, *, low: float | None = None, high: float | None = None
) -> None:
    factor = scale_factor(header, channel)
    attributes = {f"{GATING}compensation-ref": "uncompensated"}
    if low is not None:
        attributes[f"{GATING}min"] = repr(low * factor)
    if high is not None:
        attributes[f"{GATING}max"] = repr(high * factor)
    dimension = ET.SubElement(gate, f"{GATING}dimension", attributes)
    ET.SubElement(dimension, f"{DATA}fcs-dimension", {f"{DATA}name": channel})


def scale_factor(header: FcsHeader, channel: str) -> float:
    """What programs multiply stored values with before gating: $TIMESTEP for Time, 1/$PnG elsewhere."""
    i = header.index(channel) + 1
    if channel.lower() == "time":
        return _positive(header.text.get("$TIMESTEP"))
    return 1.0 / _positive(header.text.get(f"$P{i}G"))


def _positive(raw: str | None) -> float:
    try:
        value = float(raw) if raw else 1.0
    except ValueError:
        return 1.0
    return value if np.isfinite(value) and value > 0 else 1.0


def _stored(
    threshold: float, channel: Channel, stored: NDArray[np.floating], *, above: NDArray[np.bool_], transformed: bool
) -> float:
    """The threshold in stored values, exact for the events at hand."""
    plain = transformed or channel.role in LINEAR
    value = threshold if plain else float(channel.cofactor * np.sinh(threshold))
    if not above.any() or above.all():
        return value
    highest, lowest = float(stored[~above].max()), float(stored[above].min())
    if highest < value <= lowest:
        return value
    return (highest + lowest) / 2 if highest < lowest else lowest
