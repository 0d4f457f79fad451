"""The gates of a sample read from its GatingML file, and what they keep."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SPACE = "http://www.isac-net.org/std/Gating-ML/v2.0/"
GATING, DATA = f"{{{SPACE}gating}}", f"{{{SPACE}datatypes}}"


class Side(NamedTuple):
    """One dimension of a box: channel and limits (None: open)."""

    channel: str
    low: float | None
    high: float | None


class Gate(NamedTuple):
    """A box, or everything outside of it; a polygon where there are vertices."""

    name: str
    parent: str | None
    sides: tuple[Side, ...]
    inside: bool
    vertices: tuple[tuple[float, float], ...] = ()


def read_gates(path: str | Path) -> list[Gate]:
    """Gates in the order of the file, Boolean ones resolved into boxes that keep what is outside.

    ``not A`` becomes the complement of A under A's parent; ``not A and not B`` a chain of complements, of which the
    last one carries the name.

    Raises
    ------
    ValueError
        For a gate that is neither a rectangle, a polygon nor a Boolean of complements.
    """
    root = ET.parse(path).getroot()
    shapes: dict[str, Gate] = {}
    order: list[str] = []
    for node in root:
        kind, name, parent = node.tag.removeprefix(GATING), node.get(f"{GATING}id", ""), node.get(f"{GATING}parent_id")
        if kind in ("RectangleGate", "PolygonGate"):
            sides = tuple(_side(d) for d in node.findall(f"{GATING}dimension"))
            corners = tuple(
                (float(c[0].get(f"{DATA}value", "nan")), float(c[1].get(f"{DATA}value", "nan")))
                for v in node.findall(f"{GATING}vertex")
                if len(c := v.findall(f"{GATING}coordinate")) == 2
            )
            shapes[name] = Gate(name, parent, sides, True, corners)
            order.append(name)
        elif kind == "BooleanGate":
            above = parent
            outside = _complements(node)
            for number, ref in enumerate(outside):
                last = number == len(outside) - 1
                own = name if last else f"{name}_{number + 1}"
                shapes[own] = shapes[ref]._replace(name=own, parent=above, inside=False)
                order.append(own)
                above = own
        else:
            raise ValueError(f"{path}: gate {name} is a {kind}")
    used = {ref for node in root.findall(f"{GATING}BooleanGate") for ref in _complements(node)}
    return [shapes[n] for n in order if n not in used]


def _side(node: ET.Element) -> Side:
    name = node.find(f"{DATA}fcs-dimension")
    low, high = node.get(f"{GATING}min"), node.get(f"{GATING}max")
    channel = "" if name is None else name.get(f"{DATA}name", "")
    return Side(channel, None if low is None else float(low), None if high is None else float(high))


def _complements(node: ET.Element) -> list[str]:
    refs = [(r, node.find(f"{GATING}not") is not None) for r in node.iter(f"{GATING}gateReference")]
    found = []
    for ref, negated in refs:
        if not negated and ref.get(f"{GATING}use-as-complement") != "true":
            raise ValueError(f"Boolean gate {node.get(f'{GATING}id')} keeps what is inside {ref.get(f'{GATING}ref')}")
        found.append(ref.get(f"{GATING}ref", ""))
    return found


def kept(gates: list[Gate], values: Callable[[str], NDArray[np.floating]], n: int) -> dict[str, NDArray[np.bool_]]:
    """Events inside every gate and its parents.

    Parameters
    ----------
    gates
        From :func:`read_gates`, parents first.
    values
        Gives a channel's values on the scale of the gates.
    n
        Number of events.
    """
    inside: dict[str, NDArray[np.bool_]] = {}
    for gate in gates:
        if gate.vertices:
            from matplotlib.path import Path as Outline

            pair = np.column_stack([values(s.channel) for s in gate.sides])
            mask = Outline(np.array(gate.vertices)).contains_points(pair)
        else:
            mask = np.ones(n, bool)
            for side in gate.sides:
                v = values(side.channel)
                if side.low is not None:
                    mask &= v >= side.low
                if side.high is not None:
                    mask &= v < side.high
        mask = mask if gate.inside else ~mask
        inside[gate.name] = mask & inside[gate.parent] if gate.parent is not None else mask
    return inside
