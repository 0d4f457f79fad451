"""Why a cluster has no name, or no more specific one, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .definitions import ROOT, Definition, Definitions
from .evidence import Evidence, least_met
from .judging import MEASURED, Judged

SHARED = "fit equally well: the name they share"  # how the remark on such a name ends


class Reasons:
    """What stands for and against the names of the rows of `evidence`."""

    def __init__(self, judged: Mapping[str, Judged], definitions: Definitions, evidence: Evidence) -> None:
        self.judged, self.definitions, self.evidence = judged, definitions, evidence

    def against(self, name: str, row: int) -> list[str]:
        """What stands against a definition."""
        d, j, e = self.definitions.get(name), self.judged[name], self.evidence
        refines = ROOT not in d.parents
        least = self.definitions.refine_from if refines else 0.5
        told = self._lacking(d, row)[1]
        words = []
        for feature, state in d.requires[j.alternative[row]].items():
            found = e.of(state, feature)[row]
            if not np.isfinite(found):
                if state not in ("negative", "low"):
                    words.append(f"needs {feature}, {e.d.missing.get(feature, 'which was not measured')}")
            elif found < least_met(state, least, told):
                away = e.d.threshold[feature].iloc[row]
                words.append(f"{feature} is not {state} ({away:+.2f} from its threshold)")
        if refines:
            words += [w for w in self.against(d.parents[j.parent[row]], row) if w not in words]
        if d.agree is not None:
            lacking, measured = self._lacking(d, row)
            if measured < MEASURED:
                words.append(f"needs {' and '.join(lacking)}")
            elif j.support[row] < d.agree:
                markers = ", ".join(f for _, f, _ in d.further())
                words.append(f"{j.support[row]:.0%} of what {markers} say agrees, {d.agree:.0%} has to")
        return words

    def unmeasured(self, name: str, row: int) -> list[str]:
        """Markers that a definition needs or forbids and that were not measured."""
        d, j = self.definitions.get(name), self.judged[name]
        asked = d.requires[j.alternative[row]]
        own = [f for f, s in asked.items() if not np.isfinite(self.evidence.of(s, f)[row])]
        if ROOT not in d.parents:
            own += self.unmeasured(d.parents[j.parent[row]], row)
        if d.agree is not None:
            lacking, measured = self._lacking(d, row)
            own += lacking if measured < MEASURED else []
        return list(dict.fromkeys(own))

    def _lacking(self, d: Definition, row: int) -> tuple[list[str], float]:
        """Further markers of a definition that were not measured, and the share of the weight that was."""
        asked = d.further()
        there = [bool(np.isfinite(self.evidence.of(state, feature)[row])) for state, feature, _ in asked]
        measured = sum(w for (_, _, w), t in zip(asked, there, strict=True) if t)
        whole = sum(w for *_, w in asked)
        return [f for (_, f, _), t in zip(asked, there, strict=True) if not t], measured / whole if whole else 1.0

    def of_unassigned(self, row: int) -> tuple[str | None, str]:
        """The definition nearest to a row, and what the two nearest fail by."""
        near = sorted(self.judged, key=lambda n: (self.judged[n].misses[row], -self.judged[n].evidence[row]))[:2]
        told = "; ".join(f"no {name}: {', '.join(self.against(name, row))}" for name in near)
        return (near[0] if near else None), told or "there are no definitions"

    def of_name(self, best: str, row: int) -> str | None:
        """Which unmeasured markers keep a more specific name away, or lower the confidence of this one."""
        parts = []
        for d in self.definitions.populations:
            if best not in d.parents:
                continue
            lacking = self.unmeasured(d.name, row)
            if lacking and all(w.startswith("needs") for w in self.against(d.name, row)):
                parts.append(f"{d.name} would need {' and '.join(lacking)}")
        if lacking := self.unmeasured(best, row):
            parts.insert(0, f"{' and '.join(lacking)} would confirm it")
        return "; ".join(parts) or None

    def of_shared(self, name: str, one: str | None, row: int) -> str:
        """Between which names the one that they share was not decided."""
        others = [n for n in self.judged if n != one and self.judged[n].met[row] and n != name]
        tied = [n for n in others if name in self.definitions.ancestors(n)]
        other = tied[0] if len(tied) == 1 else "another"
        return f"{one} and {other} {SHARED}"
