"""The reader against files built byte by byte here, against flowio, and against damaged files."""

from __future__ import annotations

import struct

import flowio
import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import iterate_events, read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs
from fcs_bytes import EVENTS, build, keywords, put


@pytest.mark.parametrize(
    ("kind", "bits", "order", "code"),
    [
        ("F", 32, "1,2,3,4", "<f4"),
        ("F", 32, "4,3,2,1", ">f4"),
        ("D", 64, "1,2,3,4,5,6,7,8", "<f8"),
        ("D", 64, "4,3,2,1", ">f8"),
        ("I", 16, "1,2", "<u2"),
        ("I", 16, "2,1", ">u2"),
        ("I", 8, "1,2,3,4", "u1"),
        ("I", 32, "4,3,2,1", ">u4"),
        ("I", 64, "1,2,3,4", "<u8"),
    ],
)
def test_every_number_type_and_byte_order(tmp_path, kind, bits, order, code):
    table = np.arange(12).reshape(4, 3).astype(code)
    path = put(tmp_path, build(keywords(3, 4, kind, bits=bits, order=order), table.tobytes()))
    assert read_header(path).n_events == 4
    np.testing.assert_array_equal(read_events(path), np.arange(12).reshape(4, 3))
    np.testing.assert_array_equal(read_events(path, ["c3", "c1"]), np.arange(12).reshape(4, 3)[:, [2, 0]])
    if code not in ("<u8",):  # flowio has no 64-bit integers
        np.testing.assert_array_equal(read_events(path).ravel(), flowio.FlowData(str(path)).events)


def test_all_channels_in_another_order_than_the_file(tmp_path):
    write_fcs(tmp_path / "x.fcs", EVENTS, ["a", "b"])
    assert np.array_equal(read_events(tmp_path / "x.fcs", ["b", "a"]), EVENTS[:, ::-1])


def test_mixed_byte_order_of_four_byte_words(tmp_path):
    # 3,4,1,2: the third least significant byte stands first (PDP-11 words)
    little = struct.pack("<I", 0x01020304)
    data = bytes([little[2], little[3], little[0], little[1]])
    path = put(tmp_path, build(keywords(1, 1, "I", bits=32, order="3,4,1,2"), data))
    assert read_events(path, dtype=np.float64)[0, 0] == 0x01020304


def test_variable_widths_and_masks(tmp_path):
    more = {"_P2B": "16", "_P3B": "8", "_P4B": "24", "_P2R": "1024", "_P3R": "200"}
    data = struct.pack("<IHB", 70_000, 0xFC00 | 1000, 255) + (0x123456).to_bytes(3, "little")
    path = put(tmp_path, build(keywords(4, 1, "I", bits=32, **more), data))
    # the mask is the next power of two of $PnR: 1024 keeps 10 bits, 200 keeps 8
    np.testing.assert_array_equal(read_events(path), [[70_000, 1000, 255, 0x123456]])


def test_mask_of_a_uniform_file(tmp_path):
    path = put(
        tmp_path,
        build(keywords(1, 2, "I", bits=16, order="4,3,2,1", _P1R="1024"), np.array([0xFC05, 3], ">u2").tobytes()),
    )
    np.testing.assert_array_equal(read_events(path).ravel(), [5, 3])


def test_doubled_delimiters_stand_for_one(tmp_path):
    more = {"_P1S": "KIR2DL2//3", "$FIL": "a//b"}
    path = put(tmp_path, build(keywords(2, 3) | {"$P1S": "KIR2DL2//3", "$FIL": "a//b//"}, EVENTS.tobytes()))
    header = read_header(path)
    assert header.markers == ("KIR2DL2/3", "") and header.text["$FIL"] == "a/b/" and more
    assert header.notes == ()


def test_empty_values_are_not_taken_for_doubled_delimiters(tmp_path):
    kw = keywords(2, 3)
    kw = {"$P1S": "", "$P2S": "", **kw, "$OP": ""}
    header = read_header(put(tmp_path, build(kw, EVENTS.tobytes())))
    assert header.channels == ("c1", "c2") and header.markers == ("", "")
    assert any("empty keyword values" in n for n in header.notes)


def test_escaped_and_empty_values_in_one_file(tmp_path):
    kw = {"$P1S": "KIR2DL2//L3", "$P2S": "", **keywords(2, 3), "$OP": "", "$FIL": "C:////data//a.fcs", "NOTE": ""}
    header = read_header(put(tmp_path, build(kw, EVENTS.tobytes())))
    assert header.markers == ("KIR2DL2/L3", "")
    assert header.text["$FIL"] == "C://data/a.fcs" and header.text["$OP"] == header.text["NOTE"] == ""
    assert any("some doubled delimiters" in n for n in header.notes)


@pytest.mark.parametrize("delimiter", ["\\", "|", "\x0c", "*", "\t"])
def test_any_delimiter(tmp_path, delimiter):
    path = put(tmp_path, build(keywords(2, 3), EVENTS.tobytes(), delimiter))
    np.testing.assert_array_equal(read_events(path), EVENTS)


def test_blanks_behind_the_last_delimiter(tmp_path):
    path = put(tmp_path, build(keywords(2, 3), EVENTS.tobytes(), text_tail="  \r\n"))
    np.testing.assert_array_equal(read_events(path), EVENTS)


def test_supplemental_text_is_added(tmp_path):
    kw = keywords(2, 3) | {"$BEGINSTEXT": "00000000", "$ENDSTEXT": "00000000"}
    raw = build(kw, EVENTS.tobytes())
    extra = b"/$P1S/CD56/$P1N/never/"
    begin, end = len(raw), len(raw) + len(extra) - 1
    kw |= {"$BEGINSTEXT": f"{begin:08d}", "$ENDSTEXT": f"{end:08d}"}
    header = read_header(put(tmp_path, build(kw, EVENTS.tobytes(), tail=extra)))
    assert header.markers[0] == "CD56" and header.channels[0] == "c1"


def test_repeated_and_empty_names(tmp_path):
    kw = keywords(4, 0) | {"$P1N": "A", "$P2N": "A", "$P3N": "A_2", "$P4S": "x"}
    del kw["$P4N"]
    header = read_header(put(tmp_path, build(kw, b"")))
    assert header.channels == ("A", "A_3", "A_2", "P4") and header.n_events == 0
    assert read_events(header).shape == (0, 4)
    assert any("made unique: A_3" in n for n in header.notes)


@pytest.mark.parametrize("unused", ["Xe131Di", "131Xe"])
def test_swapped_names_are_seen_where_unused_channels_keep_their_metal(tmp_path, unused):
    names, labels = ["Time", "CD56", "CD3", "CD16", "CD7", unused], ["", "Nd145Di", "Er170Di", "Bi209Di", "Pr141Di"]
    kw = keywords(6, 3) | {f"$P{i + 1}N": n for i, n in enumerate(names)}
    kw |= {f"$P{i + 1}S": n for i, n in enumerate([*labels, "Xe131Di"]) if n}
    assert read_header(put(tmp_path, build(kw, np.zeros((3, 6), "<f4").tobytes()))).swapped


def test_swapped_names_are_seen(tmp_path):
    kw = keywords(3, 0) | {"$P1N": "CD3", "$P2N": "CD56", "$P3N": "CD16"}
    kw |= {"$P1S": "Er170", "$P2S": "(Yb176)Di", "$P3S": "Sm149Di"}
    assert read_header(put(tmp_path, build(kw, b""))).swapped


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"$DATATYPE": "A"}, "DATATYPE.*'A'.*F, D or I"),
        ({"$MODE": "C"}, r"\$MODE.*'C'"),
        ({"$PAR": "many"}, r"\$PAR: found 'many'"),
        ({"$PAR": "0"}, r"\$PAR: found 0"),
        ({"$BYTEORD": "1,3,2,2"}, r"\$BYTEORD"),
        ({"$P2B": "12", "$DATATYPE": "I"}, r"\$P2B: found 12"),
        ({"$P2B": "16"}, r"\$P2B: found 16"),
        ({"$P2R": "x", "$DATATYPE": "I"}, r"\$P2R: found 'x'"),
        ({"$TOT": "-1"}, r"\$TOT"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, change, message):
    path = put(tmp_path, build(keywords(2, 3) | change, EVENTS.tobytes()))
    with pytest.raises(UserError, match=message):
        read_header(path)


@pytest.mark.parametrize("raw", [b"", b"FCS3.0", b"FCS9.9    ", b"PK\x03\x04" * 50, b"FCS3.1    " + b"x" * 100])
def test_files_that_are_no_fcs(tmp_path, raw):
    with pytest.raises(UserError):
        read_header(put(tmp_path, raw))


def test_absent_file_folder_and_channel(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_header(tmp_path / "none.fcs")
    with pytest.raises(UserError):
        read_header(tmp_path)
    path = put(tmp_path, build(keywords(2, 3), EVENTS.tobytes()))
    with pytest.raises(UserError, match="did you mean 'c1'"):
        read_events(path, ["C1x"])


def test_streaming_equals_reading(tmp_path):
    events = np.random.default_rng(1).normal(size=(1003, 5)).astype("f4")
    path = tmp_path / "s.fcs"
    write_fcs(path, events, list("abcde"), big_endian=True)
    blocks = list(iterate_events(path, ["e", "a"], chunk=100))
    assert len(blocks) == 11
    np.testing.assert_array_equal(np.vstack(blocks), events[:, [4, 0]])


def test_names_in_utf16_have_no_null(tmp_path):
    kw = {**keywords(2, 3), "$P1S": "C\0D\x003\0"}
    assert read_header(put(tmp_path, build(kw, EVENTS.tobytes()))).markers[0] == "CD3"
