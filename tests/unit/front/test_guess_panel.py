"""Drafted panels against panels written by hand before drafting existed."""

import os
from pathlib import Path

import pandas as pd
import pytest

from cimlnk.common.markers import canonical
from cimlnk.cytof.fcs.header import read_header
from cimlnk.front.guess_panel import guess_channel, guess_panel

ROOT = Path(__file__).parents[3]
BY_HAND = {
    "bcrxl": "cytof_bcrxl/fcs/*.fcs",
    "imubac": "cytof_imubac_2batches/fcs/*.fcs",
    "cytonorm": "cytof_batch_cytonorm/*.fcs",
    "mdipa": "cytof_mdipa_raw_beads/*.fcs",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_at_least_95_percent_of_the_channels_are_as_written_by_hand(name):
    data = os.environ.get("CIMLNK_TEST_DATA")
    if not data:
        pytest.skip("CIMLNK_TEST_DATA does not say where the real files are")
    file = min(Path(data).glob(BY_HAND[name]))
    header = read_header(file)
    drafted, _ = guess_panel(list(zip(header.channels, header.markers, strict=True)))
    hand = pd.read_csv(ROOT / f"resources/panels/{name}.tsv", sep="\t", comment="#", dtype=str)
    both = hand.merge(drafted, on="channel", how="left", suffixes=("", "_drafted"))
    same_marker = [
        r.role == r.role_drafted == "ignore" or (canonical(r.marker) or r.marker) == r.marker_drafted
        for r in both.itertuples()
    ]
    right = pd.Series(same_marker) & (both["role"] == both["role_drafted"])
    print(name, f"{right.mean():.3f}")
    print(both.loc[~right, ["channel", "marker", "marker_drafted", "role", "role_drafted"]].to_string())
    assert right.mean() >= 0.95


@pytest.mark.parametrize(
    ("channel", "label", "marker", "role"),
    [
        ("Yb173Di", "173Yb_CD56", "CD56", "identity"),
        ("CD3(110:114)Dd", "", "CD3", "lineage"),
        ("Ir193Di", "", "DNA2", "dna"),
        ("Pt198Di", "198Pt_Dead", "Viability", "viability"),
        ("Pt195Di", "195Pt", "195Pt", "ignore"),
        ("Ce140Di", "140Ce_Bead", "Bead140", "bead"),
        ("Pd102Di", "BC1", "BC1", "barcode"),
        ("Cell_length", "Cell_length", "Event_length", "event_length"),
        ("Er166Di", "KIR2DL2/L3", "KIR2DL2_3", "kir"),
        ("Sm150Di", "pSTAT5", "pSTAT5", "state"),
        ("beadDist", "beadDist", "beadDist", "ignore"),
    ],
)
def test_channels_as_instruments_and_people_write_them(channel, label, marker, role):
    row = guess_channel(channel, label)
    assert (row.marker, row.role, row.doubt) == (marker, role, "")


def test_what_is_not_certain_says_so():
    assert "does not know" in guess_channel("Gd154Di", "154Gd_Novelin").doubt
    assert "two antibodies" in guess_channel("In113Di", "CD235ab_CD61").doubt
    table, identity = guess_panel([("A", "CD56"), ("B", "CD56"), ("C", "CD16")], {"C": 2})
    assert list(table["role"]) == ["identity", "ignore", "identity"] and identity == "CD56"
    assert table["?"].tolist() == ["", "CD56 is in channel A already", "no such channel in 2 files"]
    assert guess_panel([("A", "GLUT1"), ("B", "HK2")])[1] is None
