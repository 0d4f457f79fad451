"""Every FCS file of the real data is read as flowio reads it, or refused with one clear message."""

from __future__ import annotations

import csv
import os
import warnings
from pathlib import Path

import flowio
import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import read_events, read_header

DATA = Path(os.environ.get("CIMLNK_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
ODD = DATA / "fcs_odd_given"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not ODD.is_dir(), reason=f"no test data at {DATA} (CIMLNK_TEST_DATA)"),
]


def reference(path: Path) -> flowio.FlowData:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sets = flowio.read_multiple_data_sets(str(path), ignore_offset_error=True, ignore_offset_discrepancy=True)
    return sets[0]


def manifest() -> list[dict[str, str]]:
    if not ODD.is_dir():
        return []
    with (ODD / "manifest.csv").open(encoding="utf-8") as f:
        return list(csv.DictReader(f))


@pytest.mark.parametrize("row", manifest(), ids=lambda r: r["file"])
def test_odd_files(row):
    path = ODD / row["file"]
    if row["raw_parse_error"]:
        with pytest.raises(UserError, match="HEADER.*expected one of FCS2.0"):
            read_header(path)
        return
    header = read_header(path)
    assert (header.n_events, len(header.channels)) == (int(row["$TOT"]), int(row["$PAR"]))
    peer = reference(path)
    events = read_events(header, dtype=np.float64)
    np.testing.assert_array_equal(events.ravel(), np.array(peer.events, float))
    assert [c.split("_")[0] for c in header.channels] == [c.strip().split("_")[0] for c in peer.pnn_labels]


def cytof_files() -> list[Path]:
    return sorted(DATA.glob("cytof_*/**/*.fcs"))


@pytest.mark.parametrize("path", cytof_files(), ids=lambda p: p.name)
def test_mass_cytometry_files(path):
    header = read_header(path)
    peer = reference(path)
    assert list(header.channels) == peer.pnn_labels
    assert list(header.markers) == [s.strip() for s in peer.pns_labels]
    np.testing.assert_array_equal(read_events(header).ravel(), np.array(peer.events, "f4"))


def test_swapped_names_of_a_published_export():
    assert read_header(DATA / "cytof_phenograph_h1" / "H1_PhenoGraph_cluster2.fcs").swapped
