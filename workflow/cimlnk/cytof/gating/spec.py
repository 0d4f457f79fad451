"""The gating hierarchy as data: read, checked, and laid out as single cuts for one panel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cimlnk.common.errors import Plain, Problems, UserError
from cimlnk.common.yaml_file import read_yaml
from cimlnk.cytof.panel import Channel, Matched

from .density import MIN_SEPARATION

KEYS = ("node", "role", "markers", "keep", "valley", "spare", "look_at", "sds", "apart", "least")
KEEPS = ("above", "below", "not_all_above", "singlets", "within")
VALLEYS = ("deepest", "lowest", "highest")
IDENTITY = "nk_identity"
NEEDED = ("live", "lymphocytes")


@dataclass(frozen=True)
class Node:
    """One entry of the hierarchy file."""

    node: str
    role: str | None
    markers: tuple[str, ...]
    keep: str
    valley: str = "deepest"
    look_at: str | None = None
    sds: float = 4.0
    spare: bool = False
    apart: float = MIN_SEPARATION
    least: float | None = None

    def channels(self, matched: Matched, identity: str) -> list[Channel]:
        """The panel's channels of this node, in the order of the file (markers) or of the panel (role)."""
        if self.role is not None:
            return matched.of_role(self.role)
        names = [identity if m == IDENTITY else m for m in self.markers]
        return [c for c in map(matched.of_marker, names) if c is not None]


def load_gates(path: str | Path) -> list[Node]:
    """Read a gating hierarchy (YAML).

    Raises
    ------
    UserErrors
        All mistakes: unknown keys and words, nodes without channels, `look_at` a later node, names twice, no node
        `live` or `lymphocytes`.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(path, "config key cytof.gates", Plain("no such file"), "a gating hierarchy (YAML)")
    content = read_yaml(path)
    entries = content.get("nodes") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise UserError(path, "key nodes", Plain("no list of nodes"), "a list of at least one node")
    problems = Problems()
    nodes: list[Node] = []
    for i, entry in enumerate(entries):
        if isinstance(entry, dict):
            node = _node(path, i, entry, earlier=[n.node for n in nodes], problems=problems)
            if node is not None:
                nodes.append(node)
        else:
            problems.add(path, f"nodes[{i}]", entry, "a mapping with node, role or markers, and keep")
    names = [n.node for n in nodes]
    for name in NEEDED:
        if name not in names and not problems.errors:
            problems.add(path, "nodes", Plain(f"no node {name}"), f"a node {name} (skipped where the panel lacks it)")
    problems.raise_if_any()
    return nodes


def up_to(nodes: list[Node], last: str) -> list[Node]:
    """The first nodes of a hierarchy, the one called `last` included."""
    return nodes[: [n.node for n in nodes].index(last) + 1]


def _node(path: Path, i: int, entry: dict[str, Any], *, earlier: list[str], problems: Problems) -> Node | None:
    where = f"nodes[{i}]"
    before = len(problems.errors)
    for key in entry:
        if key not in KEYS:
            problems.add(path, f"{where}.{key}", key, f"one of {', '.join(KEYS)}", KEYS)
    name = entry.get("node")
    if not isinstance(name, str) or not name:
        problems.add(path, f"{where}.node", name, "a name")
    elif name in earlier:
        problems.add(path, f"{where}.node", name, "a name of its own")
    if (entry.get("role") is None) == (entry.get("markers") is None):
        problems.add(path, where, Plain("role and markers both or neither"), "one of them")
    markers = entry.get("markers") or []
    if not isinstance(markers, list) or not all(isinstance(m, str) for m in markers):
        problems.add(path, f"{where}.markers", markers, "a list of marker names")
        markers = []
    if entry.get("keep") not in KEEPS:
        problems.add(path, f"{where}.keep", entry.get("keep"), f"one of {', '.join(KEEPS)}", KEEPS)
    if entry.get("valley", "deepest") not in VALLEYS:
        problems.add(path, f"{where}.valley", entry["valley"], f"one of {', '.join(VALLEYS)}", VALLEYS)
    look_at = entry.get("look_at")
    if look_at is not None and look_at not in earlier:
        problems.add(path, f"{where}.look_at", look_at, "an earlier node", earlier)
    if not isinstance(entry.get("spare", False), bool):
        problems.add(path, f"{where}.spare", entry["spare"], "true or false")
    sds = entry.get("sds", 4.0)
    if isinstance(sds, bool) or not isinstance(sds, int | float) or not sds > 0:
        problems.add(path, f"{where}.sds", sds, "a positive number")
    apart = entry.get("apart", MIN_SEPARATION)
    if isinstance(apart, bool) or not isinstance(apart, int | float) or not apart > 0:
        problems.add(path, f"{where}.apart", apart, "a positive number")
    least = entry.get("least")
    if isinstance(least, bool) or not isinstance(least, int | float | None):
        problems.add(path, f"{where}.least", least, "a number")
    if len(problems.errors) > before:
        return None
    return Node(
        node=str(name),
        role=entry.get("role"),
        markers=tuple(markers),
        keep=entry["keep"],
        valley=entry.get("valley", "deepest"),
        look_at=look_at,
        sds=float(sds),
        spare=entry.get("spare", False),
        apart=float(apart),
        least=None if least is None else float(least),
    )
