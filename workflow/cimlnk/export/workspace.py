"""A FlowJo 10 workspace over the exported FCS files: the gates of every sample, the NK cells, the named populations.

Gates stand in the values as stored. The first gates are kept as rectangles (or what lies outside of one); the NK cells
and populations are intervals on the channels that the export added. FlowKit reads the file and counts the same cells.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .gates import DATA, GATING, SPACE, Gate, Side

TRANSFORMS = f"{{{SPACE}transformations}}"
DECADES = 4.0


class Kept(NamedTuple):
    """One exported sample: its file, its gates, what each kept, and its channels."""

    file: str
    gates: Sequence[Gate]
    counts: Mapping[str, int]
    n_events: int
    channels: Sequence[str]
    cofactors: Mapping[str, float]
    populations: Mapping[str, tuple[int, int]]  # name -> code, cells
    n_nk: int


def write_workspace(path: str | Path, samples: Sequence[Kept]) -> None:
    """Write ``workspace.wsp`` beside the folder ``fcs/`` that holds the files of `samples`."""
    for prefix, name in (("gating", "gating"), ("data-type", "datatypes"), ("transforms", "transformations")):
        ET.register_namespace(prefix, f"{SPACE}{name}")
    root = ET.Element(
        "Workspace", {"version": "20.0", "flowJoVersion": "10.10.0", "modDate": "", "clientTimestamp": ""}
    )
    groups = ET.SubElement(root, "Groups")
    for name in ("All Samples", "cimlnk"):
        node = ET.SubElement(groups, "GroupNode", {"name": name, "annotation": "", "owningGroup": name})
        group = ET.SubElement(node, "Group", {"name": name})
        refs = ET.SubElement(group, "SampleRefs")
        for number in range(1, len(samples) + 1):
            ET.SubElement(refs, "SampleRef", {"sampleID": str(number)})
    listed = ET.SubElement(root, "SampleList")
    for number, sample in enumerate(samples, 1):
        _sample(listed, number, sample)
    ET.indent(root, " ")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)


def _sample(parent: ET.Element, number: int, sample: Kept) -> None:
    node = ET.SubElement(parent, "Sample")
    ET.SubElement(node, "DataSet", {"uri": f"fcs/{sample.file}", "sampleID": str(number)})
    scales = ET.SubElement(node, "Transformations")
    for channel in sample.channels:
        _scale(scales, channel, sample.cofactors.get(channel))
    words = ET.SubElement(node, "Keywords")
    for key, value in (("$FIL", sample.file), ("$TOT", str(sample.n_events))):
        ET.SubElement(words, "Keyword", {"name": key, "value": value})
    top = ET.SubElement(
        node, "SampleNode",
        {
            "name": sample.file, "annotation": "", "owningGroup": "", "count": str(sample.n_events),
            "sampleID": str(number),
        },
    )  # fmt: skip
    inner = ET.SubElement(top, "Subpopulations")
    at: dict[str | None, ET.Element] = {None: inner}
    for gate in sample.gates:
        at[gate.name] = _population(at[gate.parent], gate, sample.counts[gate.name])
    nk = Gate("NK cells", None, (Side("cimlnk_nk", 0.5, 1.5),), True)
    below = _population(inner, nk, sample.n_nk)
    for name, (code, cells) in sample.populations.items():
        box = Gate(name, nk.name, (Side("cimlnk_population", code - 0.5, code + 0.5),), True)
        _population(below, box, cells)


def _scale(parent: ET.Element, channel: str, cofactor: float | None) -> None:
    """How a program shows a channel: arcsinh where the panel has a cofactor, linear elsewhere."""
    if cofactor:
        top = cofactor * math.sinh(DECADES * math.log(10))
        kind, values = (
            "fasinh",
            {"length": "256", "maxRange": f"{top:.6g}", "T": f"{top:.6g}", "A": "0.5", "M": "4.0", "W": "0"},
        )
    else:
        kind, values = "linear", {"minRange": "0", "maxRange": "1000", "gain": "1"}
    attributes = {f"{TRANSFORMS}{k}": v for k, v in values.items()}
    node = ET.SubElement(parent, f"{TRANSFORMS}{kind}", attributes)
    ET.SubElement(node, f"{DATA}parameter", {f"{DATA}name": channel})


def _population(parent: ET.Element, gate: Gate, count: int) -> ET.Element:
    node = ET.SubElement(
        parent, "Population", {"name": gate.name, "annotation": "", "owningGroup": "", "count": str(count)}
    )
    holder = ET.SubElement(node, "Gate", {f"{GATING}id": f"ID{abs(hash_of(gate.name))}"})
    kind = "PolygonGate" if gate.vertices else "RectangleGate"
    shape = ET.SubElement(holder, f"{GATING}{kind}", {"eventsInside": str(int(gate.inside))})
    for side in gate.sides:
        limits = {f"{GATING}min": side.low, f"{GATING}max": side.high}
        dimension = ET.SubElement(shape, f"{GATING}dimension", {k: repr(v) for k, v in limits.items() if v is not None})
        ET.SubElement(dimension, f"{DATA}fcs-dimension", {f"{DATA}name": side.channel})
    for corner in gate.vertices:
        vertex = ET.SubElement(shape, f"{GATING}vertex")
        for value in corner:
            ET.SubElement(vertex, f"{GATING}coordinate", {f"{DATA}value": repr(value)})
    return ET.SubElement(node, "Subpopulations")


def hash_of(name: str) -> int:
    """A number that stands for a gate's name, the same on every machine."""
    number = 0
    for letter in name:
        number = (number * 131 + ord(letter)) % 2_147_483_647
    return number
