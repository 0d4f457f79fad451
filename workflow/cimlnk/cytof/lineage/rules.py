"""From the markers a cluster carries to the lineage it belongs to, in probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .markers import LINEAGES, NK_POSITIVE, READS

Floats = NDArray[np.floating]
LEAST_DOUBT = 0.02  # probability of "unsure" that always stays
NO_SUPPORT = 0.35  # what CD56 alone is worth where a marker of NK cells was measured and is absent
WEAK_SUPPORT = 0.7  # the same where only markers were measured that some NK cells lack (CD161, T-bet)
BY_CD16 = 0.8  # what CD16 beside CD56 is worth without any other marker of NK cells
BY_RECEPTOR = 0.8  # what CD94, NKp46 or NKp80 are worth without CD56 and CD16
UNSEEN = 0.7  # what CD33 with HLA-DR is worth for a monocyte where neither CD64 nor CD11b was measured
NO_HLA_DR = 0.4  # what CD19 or CD20 are worth on cells without HLA-DR
BY_HLA_DR = 0.8  # what HLA-DR without myeloid antigens is worth for a B cell where neither CD19 nor CD20 tells
BY_CD64 = 0.8  # what CD64 with CD11b is worth for a monocyte where neither CD14 nor HLA-DR was measured


class Evidence:
    """Evidence by the reads of :data:`.markers.READS`.

    A read that the panel cannot answer, or only by markers that say nothing, gives the default asked for.
    """

    def __init__(self, carried: Floats, markers: Sequence[str], telling: NDArray[np.bool_]) -> None:
        self.n = len(carried)
        self.known: dict[str, Floats] = {}
        self.measured: set[str] = set()
        for read, names in READS.items():
            columns = [j for j, m in enumerate(markers) if m in names]
            if columns:
                self.measured.add(read)
            columns = [j for j in columns if telling[j]]
            if columns:
                self.known[read] = carried[:, columns].max(axis=1)

    def __contains__(self, read: str) -> bool:
        return read in self.known

    def __call__(self, read: str, default: float = 0.0) -> Floats:
        found = self.known.get(read)
        return np.full(self.n, default) if found is None else found


def either(*parts: Floats) -> Floats:
    """Probability that at least one holds, if they err independently."""
    out = np.ones_like(parts[0])
    for part in parts:
        out = out * (1 - part)
    return 1 - out


def nk_evidence(e: Evidence) -> Floats:
    """Evidence for an NK cell from what it carries, before other lineages are excluded.

    CD56 with a marker of NK cells (CD7, CD94, NKp46, NKp80, CD161, T-bet) or with CD16; CD16 with such a marker, or,
    where none was measured, CD16 without myeloid antigens; CD7 alone only where the panel has no CD56.
    """
    myeloid = either(e("HLA-DR") * either(e("CD33"), e("CD11c")), _myeloid_by_cd4(e))
    strong = [r for r in ("CD7", "NK receptor") if r in e]
    told = strong or "NK support" in e
    support = either(e("CD7"), e("NK receptor"), e("NK support"))
    alone = NO_SUPPORT if strong else WEAK_SUPPORT if told else 1.0
    by_cd56 = e("CD56") * np.maximum.reduce([support, BY_CD16 * e("CD16"), alone * (1 - myeloid)])
    by_cd16 = e("CD16") * (support if told else 1 - myeloid)
    by_receptor = BY_RECEPTOR * e("NK receptor") * (1 - myeloid)
    parts = [by_cd56, by_cd16, by_receptor]
    if "CD56" not in e.measured and "CD3" in e:
        parts.append(np.maximum(e("CD7"), e("NK receptor")) * (1 - myeloid) * (1 - e("CD123")))
    return np.maximum.reduce(parts)


def _alone(one: Floats, *others: Floats) -> float:
    """Evidence that some cluster carries the one and none of the others."""
    return float(np.max(one * np.prod([1 - o for o in others], axis=0), initial=0.0))


def _without_background(t: Floats, b: Floats, mono: Floats, *, nk: Floats) -> tuple[Floats, Floats, Floats]:
    """Evidence for T cells, B cells and monocytes without what is background on cells of another lineage.

    Two lineages in one event are two cells only where either is there by itself. Where neither is, CD3 is believed
    before CD19, and CD19 before CD14.
    """
    t_there, b_there, mono_there = _alone(t, b, mono), _alone(b, t, mono, nk), _alone(mono, t, b, nk)
    return (
        t * (1 - either(b * b_there, mono * mono_there) * (1 - t_there)),
        b * (1 - either(t, nk, mono * mono_there) * (1 - b_there)),
        mono * (1 - either(t, b, nk) * (1 - mono_there)),
    )


def _b_by_exclusion(e: Evidence, t: Floats) -> Floats:
    """HLA-DR without T, NK and myeloid antigens, where the panel can tell those."""
    if "HLA-DR" not in e or "CD11c" not in e or not ("CD33" in e or "CD14" in e) or not ("CD7" in e or "CD56" in e):
        return np.zeros(e.n)
    other = either(e("CD11c"), e("CD14"), e("CD33"), e("CD64"), e("CD123"), e("CD7"), e("NK receptor"), e("CD56"))
    return BY_HLA_DR * e("HLA-DR") * (1 - either(other, e("CD16"), e("granulocyte"))) * (1 - t)


def _myeloid_by_cd4(e: Evidence) -> Floats:
    """CD4 without CD3, which monocytes and plasmacytoid DCs carry and NK cells do not.

    Read only where the panel has neither HLA-DR nor a further marker of NK cells: CD16+ CD14- monocytes are then not
    told from CD16+ CD56- NK cells by anything else.
    """
    if "CD3" not in e or any(r in e for r in ("HLA-DR", "CD7", "NK receptor", "NK support")):
        return np.zeros(e.n)
    return e("CD4") * (1 - e("CD3"))


def lineage_probabilities(e: Evidence) -> Floats:
    """Clusters x LINEAGES; every row sums to one.

    What no rule claims goes to "unsure". NK cells may carry HLA-DR (activation) and CD11c; a DC carries HLA-DR with
    CD11c, CD1c, CD141, CD123 or CD303 and neither CD7, CD94, CD56 nor CD16. CD16 without a marker of NK cells makes a
    monocyte with HLA-DR and a myeloid antigen, a granulocyte without HLA-DR.
    """

    def no(read: str) -> Floats:
        return 1 - e(read)

    nk_like = np.maximum(e("CD7"), e("NK receptor"))
    if "CD3" in e:
        t = e("CD3")
    else:
        t = e("CD4") * no("CD14") * no("CD33") * no("HLA-DR") * no("CD123")
    b = e("B") * (NO_HLA_DR + (1 - NO_HLA_DR) * e("HLA-DR", 1.0))
    # granulocytes bind antibodies: B cells among them show by HLA-DR
    b_sure: Floats = e("B") * e("HLA-DR", 1.0)
    mix = e("mix")
    classical = e("CD14")
    t, b, classical = _without_background(t, b, classical, nk=e("CD56") * nk_like)
    if "B" not in e:
        b_sure = b = _b_by_exclusion(e, t)
    nonclassical = e("CD16") * e("HLA-DR") * either(e("CD11c"), e("CD33"), e("CD64")) * (1 - nk_like) * no("CD56")
    nonclassical = either(nonclassical, e("CD16") * _myeloid_by_cd4(e) * no("CD56"))
    tissue = either(e("CD64"), e("CD11b")) if "CD64" in e or "CD11b" in e else np.full(e.n, UNSEEN)
    plain = e("CD33") * e("HLA-DR") * tissue * (1 - e("CD123")) * (1 - nk_like) * no("CD56")
    if "HLA-DR" not in e.measured:
        plain = either(plain, BY_CD64 * e("CD64") * e("CD11b") * (1 - nk_like) * no("CD56") * no("granulocyte"))
    mono = either(classical, nonclassical) if "CD14" in e.measured else either(classical, nonclassical, plain)
    gran = e("granulocyte")
    support_told = any(r in e for r in ("CD7", "NK receptor", "NK support"))
    if support_told:
        support = either(nk_like, e("NK support"))
        gran = either(gran, e("CD16") * (1 - support) * no("HLA-DR") * no("CD56") * e("CD11b", 0.5))
    gran = gran * (1 - mono)
    clean = (1 - t) * (1 - b) * (1 - mono) * (1 - gran) * (1 - mix)
    dc = e("HLA-DR") * either(e("CD11c"), e("CD123")) * (1 - nk_like) * no("CD56") * no("CD16") * clean
    positive = nk_evidence(e)
    nk = clean * (1 - dc) * positive
    rest = clean * (1 - dc) * (1 - positive)
    basophil = either(e("basophil"), e("CD123") * (1 - e("HLA-DR", 0.5))) * (1 - nk_like) * rest
    odd = either(e("CD34") * rest, e("erythroid") * (1 - t) * (1 - b) * (1 - mono) * (1 - positive))
    other = either(basophil, odd, (1 - e("CD45", 1.0)) * rest)
    nk_sure = e("CD56") * nk_like
    double = np.maximum.reduce(
        [t * b, t * classical, b * classical, t * gran, b_sure * gran, nk_sure * classical, nk_sure * b]
    )
    single = {
        "T": t * (1 - b) * (1 - mono) * (1 - gran),
        "B": b * (1 - t) * (1 - mono) * (1 - gran),
        "monocyte": mono * (1 - t) * (1 - b),
        "granulocyte": gran * (1 - t) * (1 - b_sure),
        "DC": dc,
        "NK": nk,
        "other": other,
    }
    out = np.zeros((e.n, len(LINEAGES)))
    for name, score in single.items():
        out[:, LINEAGES.index(name)] = score * (1 - double)
    out[:, LINEAGES.index("doublet")] = double
    out[:, -1] = np.maximum(1 - out.sum(axis=1), LEAST_DOUBT)
    return out / out.sum(axis=1, keepdims=True)


def limits(e: Evidence) -> list[str]:
    """What could not be determined for lack of a marker, in words; empty if nothing."""
    said: list[str] = []

    def why(read: str) -> str:
        return "is nowhere bright" if read in e.measured else "is not in the panel"

    if "CD3" not in e.measured:
        said.append("CD3 is not in the panel: T cells are known by CD4 alone, and CD8 T cells not at all")
    if not e.measured & {"B"}:
        said.append("neither CD19 nor CD20 is in the panel: B cells are not distinguished")
    if not e.measured & {"CD14"}:
        said.append("CD14 is not in the panel: classical monocytes are not distinguished")
    if not e.measured & {"granulocyte"}:
        said.append("neither CD15 nor CD66 is in the panel: granulocytes are known by CD16 without CD7 alone")
    if "HLA-DR" not in e.measured:
        said.append("HLA-DR is not in the panel: dendritic cells are not distinguished")
    if "CD56" not in e:
        rest = "CD7 without CD3" if "CD56" not in e.measured else "CD16 with CD7 or another marker of NK cells"
        said.append(f"CD56 {why('CD56')}: NK cells are known by {rest}")
    if "CD16" not in e:
        said.append(f"CD16 {why('CD16')}: NK cells without CD56 are not found")
    if not any(r in e for r in NK_POSITIVE):
        said.append("no marker of NK cells tells anything: no NK cell can be called")
    return said
