"""A panel sheet from what FCS files call their channels; every guess that is not certain says why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from cimlnk.cohort.words import count
from cimlnk.common.markers import canonical, plain, read_name, usual_role, without_channel
from cimlnk.cytof.flow.instrument import AUTOFLUORESCENCE

from .marks import BETWEEN

TECHNICAL = {
    "time": ("Time", "time"), "eventlength": ("Event_length", "event_length"),
    "celllength": ("Event_length", "event_length"), "center": ("Center", "gaussian"),
    "offset": ("Offset", "gaussian"), "width": ("Width", "gaussian"), "residual": ("Residual", "gaussian"),
}  # fmt: skip
# Written into files by normalisation, debarcoding and other software: never measured.
ADDED = re.compile(
    r"(?i)^(.*bead_?dist|bc_?separation|mahalanobis|.*separation_dist|file_?(num|no|id)|sample_?id|cluster)"
)
SCATTER = re.compile(r"(?i)^(fsc|ssc|fs|ss)\b")
LIGHT = re.compile(r"(?i)-[ahw]$|^fl\d+")  # a detector of fluorescence
METAL = re.compile(r"\d{2,3}[A-Z][A-Za-z]*|[A-Z][a-z]?\d{2,3}(D[id])?")
VIABILITY = re.compile(r"(?i)(live|dead|viab|cisplatin|zombie|amine|7-?aad|\bl/?d\b)")
BEADS = re.compile(r"(?i)bead|\beq4?\b")
BARCODE = re.compile(r"(?i)^(bc|barcode|cd45[_ -]?bc)[ _-]?\d*$")
SIGNAL = (
    "stat1 stat3 stat4 stat5 stat6 erk erk12 akt p38 s6 creb mapkapk2 mk2 nfkb p65 ikb ikba plcg plcg1 plcg2 btk zap70 "
    "syk zap70syk slp76 lat shp2 src rb mtor 4ebp1 jnk smad2 smad23 irf4 h3 ccaspase3 caspase3 lck cd3z cd247"
).split()
MASS = re.compile(r"(?:^|[^A-Za-z0-9])(\d{2,3})(?=[A-Z][a-z]?)|[A-Z][a-z]?(\d{2,3})(?=D[id]|\)|$)")
CLUSTER = ("identity", "maturation", "kir", "activation", "checkpoint", "function", "trafficking")
# Lineages that the gates take away: markers of no NK cell separate none.
TAKEN_AWAY = ("CD3", "CD19", "CD20", "CD14", "CD45")


@dataclass(frozen=True)
class Row:
    """A channel as it is guessed; `doubt` is empty where the guess is certain."""

    channel: str
    marker: str
    role: str
    doubt: str = ""


def guess_channel(channel: str, label: str) -> Row:
    """Marker and role of one channel from $PnN and $PnS (empty if absent).

    Examples
    --------
    >>> guess_channel("Yb173Di", "173Yb_CD56").marker, guess_channel("Ir191Di", "191Ir_DNA1").role
    ('CD56', 'dna')
    """
    name = without_channel(label) or without_channel(channel) if label else ""
    bare = re.sub(r"\(.*\)D[id]$", "", channel)  # the instrument of 2012 put the marker here: CD3(Er170)Dd
    if not label and bare != channel and bare:
        name = bare
    key, mass = plain(name or channel), _mass(channel) or _mass(label)
    if key in TECHNICAL:
        marker, role = TECHNICAL[key]
        return Row(channel, marker, role)
    if ADDED.match(name or channel):
        return Row(channel, _safe(name or channel), "ignore")
    if mass in (191, 193) and "Ir" in channel + label or re.fullmatch(r"dna[-_ ]?\d?", (name or "").lower()):
        number = 2 if mass == 193 or key.endswith("2") else 1
        return Row(channel, f"DNA{number}", "dna")
    if BEADS.search(name):
        return Row(channel, f"Bead{mass}" if mass else _safe(name), "bead")
    if BARCODE.match(name):
        return Row(channel, _safe(name), "barcode")
    if VIABILITY.search(name) and canonical(name) is None:
        return Row(channel, "Viability", "viability")
    if SCATTER.match(channel) or (name and METAL.fullmatch(name)):
        return Row(channel, _safe(label or channel), "ignore")  # light scatter, or a metal and no antibody
    if not label and (METAL.fullmatch(channel) or LIGHT.search(channel)) and read_name(channel).marker is None:
        return Row(channel, _safe(channel), "ignore")
    name = name or channel
    reading = read_name(label or name)
    if reading.marker is not None:
        return Row(channel, reading.marker, usual_role(reading.marker) or "state")
    if len(reading.candidates) > 1:
        roles = Counter(usual_role(c) or "state" for c in reading.candidates)
        role = roles.most_common(1)[0][0]
        return Row(channel, _safe(name), role, f"two antibodies in one channel? ({', '.join(reading.candidates)})")
    short = key.removeprefix("phospho")
    if short in SIGNAL or short.removeprefix("p") in SIGNAL or re.match(r"^p[A-Z][a-z]*[A-Z0-9]", name):
        return Row(channel, _safe(name), "state")
    return Row(channel, _safe(name), "state", "a marker that resources/markers.tsv does not know: role guessed")


def guess_panel(
    channels: Sequence[tuple[str, str]],
    absent: Mapping[str, int] | None = None,
    cofactor: float | None = 5,
    *,
    light: bool = False,
) -> tuple[pd.DataFrame, str | None]:
    """A panel sheet (with the column ``?``) and the marker that tells NK cells, None if there is none.

    Parameters
    ----------
    channels
        $PnN and $PnS of every channel of any file, each $PnN once.
    absent
        Channel -> number of files that lack it.
    cofactor
        Divisor inside the arcsinh: 5 for ion counts; None leaves the cell empty.
    light
        Whether the files are of flow cytometry: scatter, autofluorescence and dump channels have roles of their own.
    """
    rows = [guess_channel(c, s) for c, s in channels]
    if light:
        rows = [_of_light(row, label) for row, (_, label) in zip(rows, channels, strict=True)]
    seen: dict[str, str] = {}
    table = []
    once = {"time", "event_length", "viability"}
    for row in rows:
        role, marker, doubt = row.role, row.marker, row.doubt
        key = role if role in once else marker
        if role in ("ignore", "scatter", "autofluorescence"):
            key = row.channel
        elif key in seen:
            doubt, role = f"{marker} is in channel {seen[key]} already", "ignore"
            marker = f"{marker}_{plain(row.channel)}"
        else:
            seen[key] = row.channel
        if (n := (absent or {}).get(row.channel, 0)) and role != "ignore":
            doubt = BETWEEN.join(filter(None, [doubt, f"no such channel in {count(n, 'file')}"]))
        cluster = "yes" if role in CLUSTER or marker in ("T-bet", "Eomes", "Ki-67") and role != "ignore" else "no"
        table.append({"channel": row.channel, "marker": marker, "role": role, "cofactor": cofactor,
                      "cluster": cluster, "?": doubt})  # fmt: skip
    frame = pd.DataFrame(table)
    if (frame["cluster"] == "yes").sum() < 5:
        more = (frame["role"] == "lineage") & ~frame["marker"].isin(TAKEN_AWAY)
        frame.loc[more, "cluster"] = "yes"
        frame.loc[more & (frame["?"] == ""), "?"] = "cluster: in the graph, as there are few NK markers"
    names = set(frame.loc[frame["role"] != "ignore", "marker"])
    identity = next((m for m in ("CD56", "NKp46", "NKp80", "CD94", "CD7", "CD161", "NK1.1") if m in names), None)
    return frame, identity


def _of_light(row: Row, label: str) -> Row:
    """The row of a flow-cytometry channel: scatter, autofluorescence and several lineages in one dye distinguished."""
    if SCATTER.match(row.channel):
        return Row(row.channel, _safe(row.channel), "scatter")
    if not label and AUTOFLUORESCENCE.match(row.channel):
        return Row(row.channel, _safe(row.channel), "autofluorescence")
    candidates = read_name(label or row.channel).candidates
    if len(candidates) > 1 and all(usual_role(c) == "lineage" for c in candidates):
        return Row(row.channel, row.marker, "dump", f"several lineages in one dye? ({', '.join(candidates)})")
    return row


def _mass(text: str) -> int | None:
    hit = MASS.search(text or "")
    return int(hit[1] or hit[2]) if hit else None


def _safe(name: str) -> str:
    """A name the panel sheet allows: letters, digits, blanks and ``_ . + / : ( ) -``."""
    text = re.sub(r"[^\w .+/:()-]", "_", name).strip(" _.-+/:()") or "unnamed"
    return text[:60]
