"""What the lineages of blood carry: the markers that distinguish them, and the lineages that show what negative is.

Marker names are the canonical ones. The definitions follow the consensus panels of human immunophenotyping (Maecker
2012, doi:10.1038/nri3158; Spits 2013, doi:10.1038/nri3365 for NK cells and other innate lymphocytes).
"""

from __future__ import annotations

from collections.abc import Sequence

LINEAGES = ("T", "B", "monocyte", "granulocyte", "DC", "NK", "other", "doublet", "unsure")
LYMPHOCYTES = ("T", "B", "NK")

# What a rule reads, and the markers that answer it: any of them.
READS: dict[str, tuple[str, ...]] = {
    "CD3": ("CD3", "TCRab", "TCRgd"),
    "CD4": ("CD4",),
    "B": ("CD19", "CD20", "CD22", "CD79a", "CD79b"),
    "CD14": ("CD14",),
    "CD33": ("CD33",),
    "CD64": ("CD64",),
    "CD11b": ("CD11b",),
    "granulocyte": ("CD15", "CD66", "CD66b", "CD66ace"),
    "CD16": ("CD16",),
    "HLA-DR": ("HLA-DR",),
    "CD11c": ("CD11c", "CD1c", "CD141"),
    "CD123": ("CD123", "CD303", "CD304"),
    "basophil": ("FceRI", "CRTH2", "CD294", "CD203c"),
    "CD34": ("CD34",),
    "erythroid": ("CD235ab", "CD235a", "CD235", "CD235ab_CD61"),
    "CD45": ("CD45",),
    "CD56": ("CD56",),
    "CD7": ("CD7",),
    "NK receptor": ("CD94", "NKp46", "NKp80", "NK1.1"),
    "NK support": ("CD161", "T-bet"),
    "mix": ("Lineage",),
}
# Markers that only help the neighbour search to keep lineages apart.
FURTHER = ("CD8a", "CD2", "CD5", "CD38", "CD127", "IgM", "IgD")

_T_B_NK = ("T", "B", "NK")
_NOT_LYMPHOID = ("B", "monocyte", "granulocyte")
# Lineages that do not carry a marker: their level in the same tube is what negative looks like, with all that staining
# and spill add. Each is found without the marker itself.
NEGATIVE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("CD3", "TCRab", "TCRgd", "CD56", "CD7", "CD94", "NKp46", "NK1.1", "CD161", "T-bet"), _NOT_LYMPHOID
    ),
    **dict.fromkeys(("CD14", "CD33", "CD64", "CD15", "CD66", "CD66b", "CD66ace"), _T_B_NK),
    **dict.fromkeys(("CD303", "CD304", "CD141", "FceRI", "CD203c"), _T_B_NK),
    **dict.fromkeys(("CD34", "CD235ab", "CD235a", "CD235", "CD235ab_CD61"), (*_T_B_NK, "monocyte")),
    **dict.fromkeys(("CD19", "CD22", "CD79a", "CD79b"), ("T", "NK", "monocyte")),
    "CD20": ("NK", "monocyte", "granulocyte"),
    "CD4": ("B", "NK"),
    "CD11b": ("T", "B"),
    "CD16": ("T", "B"),
    "HLA-DR": ("T",),
    "CD11c": ("T",),
    "CD1c": ("T", "NK"),
    "CD123": ("T", "NK"),
    "CRTH2": ("B", "NK", "monocyte"),
    "CD294": ("B", "NK", "monocyte"),
    "NKp80": ("B", "granulocyte"),
    "Lineage": ("NK", "monocyte", "DC"),
}
# A bright value of these in a single event speaks of another lineage, or of two cells measured as one. Granulocyte
# markers are left to the clusters: they stick to other cells too often.
OWN: dict[str, str] = {
    **dict.fromkeys(("CD3", "TCRab"), "T"),
    **dict.fromkeys(("CD19", "CD20"), "B"),
    "CD14": "monocyte",
}
# Where these are dim beside their brightest cluster, it is spill or background rather than a lineage.
EXCLUDING = (*OWN, "CD22", "CD79a", "CD79b", "CD15", "CD66", "CD66b", "CD66ace")
# Absence of these is no knowledge where they are bright nowhere.
INCLUDING = ("CD56", "CD16", "CD7", "CD94", "NKp46", "NKp80", "NK1.1", "CD161", "T-bet", "HLA-DR")
# Lineages that carry a marker, for gates fitted to lineages.
CARRIED: dict[str, tuple[str, ...]] = {
    "CD45": ("T", "B", "monocyte", "granulocyte", "DC", "NK"),
    **dict.fromkeys(("CD3", "TCRab"), ("T",)),
    **dict.fromkeys(("CD19", "CD20", "CD22", "CD79a", "CD79b"), ("B",)),
    "CD14": ("monocyte",),
    "CD33": ("monocyte", "DC", "granulocyte"),
    **dict.fromkeys(("CD15", "CD66", "CD66b"), ("granulocyte",)),
    "HLA-DR": ("B", "monocyte", "DC"),
    "CD11c": ("monocyte", "DC"),
    "CD123": ("DC",),
    **dict.fromkeys(("CD56", "CD94", "NKp46", "NKp80", "NK1.1"), ("NK",)),
    "CD7": ("NK", "T"),
    "CD16": ("NK", "granulocyte"),
}
NK_POSITIVE = ("CD56", "CD16", "CD7", "NK receptor", "NK support")


def lineage_markers(markers: Sequence[str]) -> list[int]:
    """Positions of the markers that distinguish lineages, in the order given."""
    known = {m for names in READS.values() for m in names} | set(FURTHER)
    return [i for i, m in enumerate(markers) if m in known]
