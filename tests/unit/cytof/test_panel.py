"""Finding the panel's channels in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import FcsHeader, read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.panel import load_panel, match_panel

SHEET = """channel\tmarker\trole\tcofactor\tcluster
Nd145Di\tCD56\tidentity\t5\tyes
Er170Di\tCD3\tlineage\t\tno
Yb174Di\tHLA-DR\tactivation\t10\tyes
Ir191Di\tDNA1\tdna\t5\tno
Xe131Di\t131Xe\tignore\t5\tno
"""


def sheet(tmp_path: Path, text: str = SHEET):
    path = tmp_path / "panel.tsv"
    path.write_text(text)
    return load_panel(path)


def header(tmp_path: Path, channels: list[str], markers: list[str]) -> FcsHeader:
    path = tmp_path / "x.fcs"
    write_fcs(path, np.zeros((1, len(channels))), channels, markers=markers)
    return read_header(path)


NAMES = ["Time", "Nd145Di", "Er170Di", "Yb174Di", "Ir191Di"]
LABELS = ["Time", "145Nd_CD56", "170Er_CD3", "174Yb_HLA-DR", "191Ir_DNA1"]


def test_by_name_without_a_word(tmp_path):
    found = match_panel(header(tmp_path, NAMES, LABELS), sheet(tmp_path))
    assert [(c.column, c.marker, c.cofactor, c.cluster) for c in found.channels] == [
        (1, "CD56", 5.0, True), (2, "CD3", 5.0, False), (3, "HLA-DR", 10.0, True), (4, "DNA1", 5.0, False),
    ]  # fmt: skip
    assert found.notes == () and [c.marker for c in found.markers] == ["CD56", "CD3", "HLA-DR"]


@pytest.mark.parametrize("name", ["(Nd145)Di", "(Nd145)Dd", "CD56(Nd145)Dd", "145Nd", "Nd145", "145Nd_CD56"])
def test_by_metal_with_a_note(tmp_path, name):
    found = match_panel(header(tmp_path, ["Time", name, *NAMES[2:]], LABELS), sheet(tmp_path))
    assert found.channels[0].channel == name
    assert found.notes == (f"channels of the panel found by their metal: Nd145Di is {name}",)


@pytest.mark.parametrize("label", ["CD56", "145Nd_CD56", "cd56"])
def test_a_renamed_channel_by_its_marker(tmp_path, label):
    found = match_panel(header(tmp_path, ["Time", "FL7", *NAMES[2:]], ["", label, *LABELS[2:]]), sheet(tmp_path))
    assert found.channels[0].channel == "FL7" and "found by their marker name: Nd145Di is FL7" in found.notes[0]


def test_a_label_that_names_a_marker_outside_the_panel_is_told(tmp_path):
    labels = ["Time", "145Nd_TCRgd", *LABELS[2:]]
    found = match_panel(header(tmp_path, NAMES, labels), sheet(tmp_path))
    assert found.conflicts == (("CD56", "Nd145Di", "145Nd_TCRgd"),) and "TCRgd" in found.notes[0]
    synonym = match_panel(header(tmp_path, NAMES, ["Time", "145Nd_NCAM", *LABELS[2:]]), sheet(tmp_path))
    assert synonym.conflicts == () and synonym.notes == ()


def test_swapped_names(tmp_path):
    labels = ["Time", "Nd145", "Er170", "Yb174", "Ir191"]
    swapped = header(tmp_path, ["Time", "CD56", "CD3", "HLA-DR", "DNA1"], labels)
    assert swapped.swapped
    assert [c.channel for c in match_panel(swapped, sheet(tmp_path)).channels] == ["CD56", "CD3", "HLA-DR", "DNA1"]


def test_absent_channels_are_all_told_with_the_nearest(tmp_path):
    with pytest.raises(UserError) as e:
        match_panel(
            header(tmp_path, ["Time", "Nd146Di", "Er168Di", "Yb174Di", "Ir191Di"], ["", "", "", "", ""]),
            sheet(tmp_path),
        )
    text = str(e.value)
    assert "Nd145Di (CD56)" in text and "nearest: Nd146Di" in text and "Er170Di (CD3)" in text
    assert len(text.splitlines()) == 2


def test_a_technical_channel_may_be_absent_and_is_said_to_be(tmp_path):
    found = match_panel(header(tmp_path, NAMES[:-1], LABELS[:-1]), sheet(tmp_path))
    assert [m for _, m in found.absent] == ["DNA1"] and "not measured" in found.notes[0]


def test_what_many_channels_share_is_one_note(tmp_path):
    lower = ["Time", *(n.lower() for n in NAMES[1:3])]
    found = match_panel(header(tmp_path, lower, ["", "", ""]), sheet(tmp_path))
    assert found.notes == (
        "channels of the panel found by their name in other letters: Nd145Di is nd145di, Er170Di is er170di",
        "not measured, since the file has no such channel: Yb174Di (HLA-DR), Ir191Di (DNA1)",
    )


@pytest.mark.parametrize("first", [True, False])
def test_a_row_that_is_never_read_yields_its_channel(tmp_path, first):
    """Half of the files name their channels by the marker, half by the dye; one panel has rows for both."""
    read, never = "CD56\tCD56\tidentity\t\tyes\n", "PE-A\tCD56_pea\tignore\t\tno\n"
    head = "channel\tmarker\trole\tcofactor\tcluster\n"
    rows = head + (never + read if first else read + never)
    by_dye = match_panel(header(tmp_path, ["Time", "PE-A"], ["", "CD56"]), sheet(tmp_path, rows))
    assert [(c.channel, c.marker, c.role) for c in by_dye.channels] == [("PE-A", "CD56", "identity")]
    alone = match_panel(header(tmp_path, ["Time", "PE-A"], ["", ""]), sheet(tmp_path, head + never))
    assert [(c.channel, c.role) for c in alone.channels] == [("PE-A", "ignore")]


def test_a_channel_that_bears_another_marker_of_the_panel_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"found '145Nd_CD3', expected \$PnS of Nd145Di to be CD56"):
        match_panel(header(tmp_path, NAMES, ["", "145Nd_CD3", "170Er_CD56", "", ""]), sheet(tmp_path))


def test_two_channels_of_one_metal_are_refused(tmp_path):
    names = ["(Nd145)Di", "145Nd", *NAMES[2:]]
    with pytest.raises(UserError, match="one channel of the file"):
        match_panel(header(tmp_path, names, ["", "", "", "", ""]), sheet(tmp_path))


def test_mistakes_of_the_sheet_are_told(tmp_path):
    with pytest.raises(UserError, match="role"):
        sheet(tmp_path, SHEET.replace("lineage", "linage"))
