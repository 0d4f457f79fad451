"""What wrote an FCS file, by its keywords and the names of its channels."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cimlnk.common.errors import Plain, UserError
from cimlnk.cytof.fcs.header import FcsHeader
from cimlnk.cytof.metals import parse_metal

SCATTER = re.compile(r"(?i)^(fsc|ssc|fs|ss|forward[ _]?scatter|side[ _]?scatter)\b")
PULSE = re.compile(r"(?i)[-_ ](a|h|w|area|height|width)$")
COMPENSATED_NAME = re.compile(r"(?i)^(comp-|<.*>$)")
# Detectors of spectral instruments: laser and number (Cytek: UV7-A, YG3-A), laser's wavelength and number (405CH12-A).
DETECTOR = re.compile(r"(?i)^(?:(?:uv|v|b|yg|g|r|ir)\d{1,2}|\d{3}ch\d{1,2})(?:[-_ ][ahw])?$")
RAW_DETECTORS = 16  # of them no conventional panel has as many: an instrument of that make has 24 to 184
AUTOFLUORESCENCE = re.compile(r"(?i)^(af|autofluor\w*)([-_ ]?\d*)([-_ ][ahw])?$")
MASS_CYTOMETERS = re.compile(r"(?i)cytof|helios|xt\b|dvs|fluidigm|standard ?bio")
FEW_METALS = 3


def light_channels(header: FcsHeader) -> list[int]:
    """Channels of light scatter, by name or by their type ($PnTYPE)."""
    found = []
    for i, name in enumerate(header.channels):
        kind = header.text.get(f"$P{i + 1}TYPE", "").lower()
        if SCATTER.match(name) or kind in ("forward_scatter", "side_scatter"):
            found.append(i)
    return found


def metal_channels(header: FcsHeader) -> list[int]:
    """Channels named after a metal and its mass."""
    names = header.markers if header.swapped else header.channels
    return [i for i, name in enumerate(names) if parse_metal(name) is not None]


def is_mass_cytometry(header: FcsHeader) -> bool:
    """Whether a file comes from a mass cytometer: by $CYT, else by channels named after metals, and no light scatter.

    Files without any of these signs (renamed channels, no $CYT) are not reported; see :func:`foreign_to_mass`.
    """
    if light_channels(header):
        return False
    return bool(MASS_CYTOMETERS.search(header.text.get("$CYT", ""))) or len(metal_channels(header)) >= FEW_METALS


def foreign_to_mass(header: FcsHeader) -> str | None:
    """Why a file given as mass cytometry looks like fluorescence, in words; None if it does not."""
    light = [header.channels[i] for i in light_channels(header)]
    if light:
        return f"has channels of light scatter ({', '.join(light[:3])}), which no mass cytometer measures"
    instrument = header.text.get("$CYT", "").strip()
    if instrument and not MASS_CYTOMETERS.search(instrument) and len(metal_channels(header)) < FEW_METALS:
        return f"was written by {instrument} ($CYT), and its channels are not named after metals"
    return None


def raw_detectors(header: FcsHeader) -> list[str]:
    """Names of channels that are detectors of a spectral instrument rather than fluorochromes."""
    named = [
        name
        for i, name in enumerate(header.channels)
        if DETECTOR.match(name) or header.text.get(f"$P{i + 1}TYPE", "").lower() == "raw_fluorescence"
    ]
    areas = [n for n in named if not re.search(r"(?i)[-_ ][hw]$", n)]
    return areas if len(areas) >= RAW_DETECTORS else []


def check_fluorescence(header: FcsHeader) -> None:
    """Refuse files that are no fluorescence of single dyes.

    Raises
    ------
    UserError
        A file of a mass cytometer, or the raw detectors of a spectral instrument.
    """
    if is_mass_cytometry(header):
        metals = [header.channels[i] for i in metal_channels(header)]
        found = Plain(header.text.get("$CYT", "").strip() or f"channels of metals ({', '.join(metals[:3])}, …)")
        raise UserError(
            header.path, "instrument", found, "fluorescence, as the modality is flow; is it modality cytof?"
        )
    detectors = raw_detectors(header)
    if detectors:
        found = Plain(f"{len(detectors)} raw detectors of a spectral instrument ({', '.join(detectors[:3])}, …)")
        expected = (
            "unmixed values, one channel a dye: unmix in the instrument's program (SpectroFlo: Unmixed, ID7000 and "
            "others alike) and give the unmixed FCS files"
        )
        raise UserError(header.path, "channels", found, expected)


def pulse_channels(channels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Scatter channels by detector and what of the pulse they measure: ``{"FSC": {"A": 0, "H": 1}, …}``."""
    found: dict[str, dict[str, int]] = {}
    for i, name in enumerate(channels):
        what = PULSE.search(name)
        if SCATTER.match(name) and what:
            found.setdefault(name[: what.start()].upper(), {})[what[1][0].upper()] = i
    return found
