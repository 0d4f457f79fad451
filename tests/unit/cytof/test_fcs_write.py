"""The writer: bit-exact round trips through our reader, flowio and FlowKit's parser."""

from __future__ import annotations

import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs import write as fcs_write
from cimlnk.cytof.fcs.header import read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs


@pytest.mark.parametrize("big_endian", [False, True])
def test_round_trip_is_bit_exact(tmp_path, big_endian):
    bits = np.random.default_rng(0).integers(0, 2**32, (500, 7), dtype=np.uint32)
    events = bits.view("f4")  # every kind of float: NaN payloads, infinities, denormals
    path = tmp_path / "x.fcs"
    write_fcs(path, events, list("abcdefg"), big_endian=big_endian)
    assert read_events(path).view(np.uint32).tobytes() == bits.tobytes()


@pytest.mark.parametrize("big_endian", [False, True])
def test_flowio_reads_the_same(tmp_path, big_endian):
    events = np.random.default_rng(0).gamma(1, 30, (50, 3)).astype("f4")
    path = tmp_path / "x.fcs"
    channels, markers = ["/odd", "Nd145Di", "Time"], ["KIR2DL2/3", "IFNγ", ""]
    write_fcs(
        path,
        events,
        channels,
        markers=markers,
        metadata={"$CYT": "Helios", "RUN/1": 7, "EMPTY": ""},
        big_endian=big_endian,
    )
    peer = flowio.FlowData(str(path))
    assert peer.pnn_labels == channels and peer.pns_labels == markers
    np.testing.assert_array_equal(np.array(peer.events, "f4").reshape(-1, 3), events)
    header = read_header(path)
    assert header.channels == tuple(channels) and header.markers == tuple(markers) and header.notes == ()
    assert header.text["RUN/1"] == "7" and header.text["$CYT"] == "Helios" and "EMPTY" not in header.text


def test_every_delimiter_used_up_is_doubled(tmp_path):
    name = "a" + fcs_write.DELIMITERS + "b"
    path = tmp_path / "x.fcs"
    write_fcs(path, np.ones((2, 1)), ["c"], markers=[name], metadata={"K": name})
    assert read_header(path).markers == (name,) and read_header(path).text["K"] == name


def test_large_offsets_stand_in_text_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(fcs_write, "HEADER_LIMIT", 500)
    events = np.arange(400, dtype="f4").reshape(200, 2)
    path = tmp_path / "x.fcs"
    write_fcs(path, events, ["a", "b"])
    assert path.read_bytes()[26:42] == b"       0       0"
    np.testing.assert_array_equal(read_events(path), events)


def test_no_events_and_equal_bytes(tmp_path):
    for name in ("x.fcs", "y.fcs"):
        write_fcs(tmp_path / name, np.empty((0, 2)), ["a", "b"], metadata={"K": 1})
    assert read_header(tmp_path / "x.fcs").n_events == 0
    assert (tmp_path / "x.fcs").read_bytes() == (tmp_path / "y.fcs").read_bytes()


def test_names_that_would_lose_a_channel_are_refused(tmp_path):
    for names in (["a", ""], ["a", "a"]):
        with pytest.raises(UserError, match="channel 2"):
            write_fcs(tmp_path / "x.fcs", np.ones((1, 2)), names)
    with pytest.raises(ValueError, match="do not fit"):
        write_fcs(tmp_path / "x.fcs", np.ones((1, 2)), ["a"])


WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=8)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WORDS, min_size=1, max_size=6, unique=True), st.dictionaries(WORDS, WORDS, max_size=4))
def test_any_names_and_metadata_come_back(tmp_path, names, metadata):
    metadata = {f"M{k}".upper(): v for k, v in metadata.items()}
    path = tmp_path / "x.fcs"
    write_fcs(path, np.zeros((1, len(names))), names, markers=names, metadata=metadata)
    header = read_header(path)
    assert header.channels == tuple(names) and header.markers == tuple(names)
    assert {k: header.text[k] for k in metadata} == metadata
