"""The reader against files built byte by byte here, against flowio, and against damaged files."""

from __future__ import annotations

import struct
from pathlib import Path

import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import iterate_events, read_events, read_header
from cimlnk.cytof.fcs.write import write_fcs


def build(
    keywords: dict[str, str],
    data: bytes,
    delimiter: str = "/",
    version: str = "FCS3.0",
    header_data: tuple[int, int] | None = None,
    tail: bytes = b"",
    text_tail: str = "",
) -> bytes:
    """An FCS file from its parts; $BEGINDATA/$ENDDATA are filled in where the keywords ask for it by ``@``."""

    def body(begin: int, end: int) -> bytes:
        values = {"@begin": f"{begin:010d}", "@end": f"{end:010d}"}
        pairs = "".join(f"{k}{delimiter}{values.get(v, v)}{delimiter}" for k, v in keywords.items())
        return (delimiter + pairs + text_tail).encode("latin-1")

    begin = 58 + len(body(0, 0))
    end = begin + len(data) - 1
    shown = header_data if header_data is not None else (begin, end)
    offsets = (58, begin - 1, *shown, 0, 0)
    head = f"{version}    ".encode() + b"".join(f"{o:>8d}".encode() for o in offsets)
    return head + body(begin, end) + data + tail


def keywords(n: int, tot: int, kind: str = "F", bits: int = 32, order: str = "1,2,3,4", **more: str) -> dict[str, str]:
    out = {"$BEGINDATA": "@begin", "$ENDDATA": "@end", "$BYTEORD": order, "$DATATYPE": kind, "$MODE": "L"}
    out |= {"$NEXTDATA": "0", "$PAR": str(n), "$TOT": str(tot)}
    for i in range(1, n + 1):
        out |= {f"$P{i}N": f"c{i}", f"$P{i}B": str(bits), f"$P{i}R": str(2 ** min(bits, 31)), f"$P{i}E": "0,0"}
    return out | {k.replace("_", "$", 1): v for k, v in more.items()}


def put(tmp_path: Path, raw: bytes) -> Path:
    path = tmp_path / "x.fcs"
    path.write_bytes(raw)
    return path


EVENTS = np.array([[1.5, -0.25], [3e5, 0.0], [7.125, 42.0]], dtype="f4")


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
    path = put(tmp_path, build(keywords(3, 4, kind, bits, order), table.tobytes()))
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
    path = put(tmp_path, build(keywords(1, 1, "I", 32, "3,4,1,2"), data))
    assert read_events(path, dtype=np.float64)[0, 0] == 0x01020304


def test_variable_widths_and_masks(tmp_path):
    more = {"_P2B": "16", "_P3B": "8", "_P4B": "24", "_P2R": "1024", "_P3R": "200"}
    data = struct.pack("<IHB", 70_000, 0xFC00 | 1000, 255) + (0x123456).to_bytes(3, "little")
    path = put(tmp_path, build(keywords(4, 1, "I", 32, **more), data))
    # the mask is the next power of two of $PnR: 1024 keeps 10 bits, 200 keeps 8
    np.testing.assert_array_equal(read_events(path), [[70_000, 1000, 255, 0x123456]])


def test_mask_of_a_uniform_file(tmp_path):
    path = put(tmp_path, build(keywords(1, 2, "I", 16, "4,3,2,1", _P1R="1024"), np.array([0xFC05, 3], ">u2").tobytes()))
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


@pytest.mark.parametrize(("db", "de"), [(0, 1), (0, -1), (-1, 0), (1, 0), (-1, -1), (1, 1)])
def test_offsets_wrong_by_one(tmp_path, db, de):
    events = np.random.default_rng(0).gamma(2, 50, (200, 2)).astype("f4")
    kw = keywords(2, 200)
    del kw["$BEGINDATA"], kw["$ENDDATA"]
    right = build(kw, events.tobytes())
    begin = len(right) - events.nbytes
    path = put(tmp_path, build(kw, events.tobytes(), header_data=(begin + db, begin + events.nbytes - 1 + de)))
    np.testing.assert_array_equal(read_events(path), events)
    assert any("off by one" in n or "stated byte by one" in n for n in read_header(path).notes)


def shifted(by: int, clock: bool, n: int = 12, rows: int = 300) -> tuple[bytes, np.ndarray]:
    """A file whose DATA lies `by` bytes behind the stated begin, as of a writer that counts letters and not bytes."""
    rng = np.random.default_rng(0)
    events = rng.poisson(3, (rows, n)).astype("f4")
    events[:, 0] = np.sort(rng.integers(0, 10_000, rows)) if clock else rng.poisson(30, rows)
    kw = keywords(n, rows, **({"_P1N": "Time"} if clock else {}))
    whole = build(kw, events.tobytes())
    begin = len(whole) - events.nbytes
    return whole[:begin] + b" " * by + whole[begin:], events


@pytest.mark.parametrize("by", [2, 3, 4, 8 + 4, 20, 31])
def test_offsets_wrong_by_some_bytes_are_settled_by_values_and_clock(tmp_path, by):
    raw, events = shifted(by, clock=True)
    path = put(tmp_path, raw)
    np.testing.assert_array_equal(read_events(path), events)
    assert any("not at the stated" in note for note in read_header(path).notes)


def test_offsets_wrong_by_a_whole_channel_without_a_clock_are_refused(tmp_path):
    raw, _ = shifted(4, clock=False)
    with pytest.raises(UserError, match="DATA offsets: found a begin at byte .* which leaves 4 bytes over"):
        read_header(put(tmp_path, raw))


def test_header_offsets_zero_as_in_large_files(tmp_path):
    path = put(tmp_path, build(keywords(2, 3), EVENTS.tobytes(), header_data=(0, 0), tail=b"00012345"))
    np.testing.assert_array_equal(read_events(path), EVENTS)


@pytest.mark.parametrize("tot", ["0", "2", "9"])
def test_a_wrong_tot_gives_way_to_the_data_segment(tmp_path, tot):
    path = put(tmp_path, build(keywords(2, 3) | {"$TOT": tot}, EVENTS.tobytes()))
    header = read_header(path)
    assert header.n_events == 3 and any(f"$TOT is {tot}" in n for n in header.notes)
    np.testing.assert_array_equal(read_events(path), EVENTS)


def test_a_truncated_file_is_refused(tmp_path):
    path = put(tmp_path, build(keywords(2, 3), EVENTS.tobytes())[:-5])
    with pytest.raises(UserError, match="3 events of 8 bytes.*cut short"):
        read_header(path)


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


def test_several_data_sets_give_the_first_and_a_note(tmp_path):
    raw = build(keywords(2, 3) | {"$NEXTDATA": "4096"}, EVENTS.tobytes())
    header = read_header(put(tmp_path, raw + raw))
    assert header.n_events == 3 and any("first is read" in n for n in header.notes)


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


def _damaged(draw_bytes: bytes, path: Path) -> None:
    """A file is read, or refused by a UserError; any other exception fails the test."""
    path.write_bytes(draw_bytes)
    try:
        header = read_header(path)
        if header.n_events * len(header.channels) < 1_000_000:
            assert read_events(header).shape == (header.n_events, len(header.channels))
    except UserError as e:
        assert str(e).startswith(str(path)) and "\n" not in str(e)


BASE = build(keywords(2, 3) | {"$P1S": "a//b"}, EVENTS.tobytes(), tail=b"00000000")
BASES = [BASE, build(keywords(3, 2, "I", 16, "2,1", _P2B="8", _P1R="100"), bytes(range(10)))]
VALUES = st.one_of(
    st.text(max_size=12),
    st.integers(-(10**20), 10**20).map(str),
    st.integers(-5, 70).map(str),
    st.sampled_from(
        ["", "1,2", "4,3,2,1", "3,4,1,2", "F", "D", "I", "A", "*", "nan", "inf", "1e400", "9" * 5000, "٣", "²"]
    ),
)
NAMES = st.sampled_from([*keywords(3, 1), "$BEGINSTEXT", "$ENDSTEXT", "$P2S", "$P1DATATYPE", "$P99N", ""])


@st.composite
def damaged_files(draw) -> bytes:
    base = bytearray(draw(st.sampled_from(BASES)))
    way = draw(st.integers(0, 4))
    if way == 0:  # bytes anywhere in HEADER and TEXT
        for _ in range(draw(st.integers(1, 8))):
            base[draw(st.integers(0, len(base) - 1))] = draw(st.integers(0, 255))
    elif way == 1:  # HEADER offsets
        for _ in range(draw(st.integers(1, 4))):
            at = 10 + 8 * draw(st.integers(0, 5))
            number = draw(st.one_of(st.integers(-100, 700), st.integers(-9_999_999, 99_999_999)))
            base[at : at + 8] = f"{number:>8d}"[:8].encode()
    elif way == 2:  # keywords and delimiter
        kw = keywords(draw(st.integers(1, 4)), draw(st.integers(0, 4)), draw(st.sampled_from("FDIA")))
        for name, value in draw(st.lists(st.tuples(NAMES, VALUES), max_size=6)):
            kw[name] = value.encode("latin-1", "replace").decode("latin-1")
        delimiter = draw(st.sampled_from("/|\\ 1,\n\xff$"))
        return build(kw, draw(st.binary(max_size=80)), delimiter, draw(st.sampled_from(["FCS2.0", "FCS3.2"])))
    elif way == 3:  # cut, or stretched
        base = base[: draw(st.integers(0, len(base)))] + draw(st.binary(max_size=30))
    else:  # any TEXT at all
        text = b"/" + draw(st.binary(max_size=200))
        return b"FCS3.0    " + f"{58:>8d}{57 + len(text):>8d}".encode() + b"       0" * 4 + text
    return bytes(base)


ODD_BASE = BASE.replace(b"$TOT/3", b"$TOT/\xb2")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged_files())
@example(ODD_BASE)
def test_damaged_files_never_end_in_another_exception(tmp_path, raw):
    _damaged(raw, tmp_path / "damaged.fcs")


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged_files())
def test_ten_thousand_damaged_files(tmp_path, raw):
    _damaged(raw, tmp_path / "damaged.fcs")


@pytest.mark.parametrize(("stated", "true"), [("4,3,2,1", "<f4"), ("2,1,4,3", "<f4"), ("1,2,3,4", ">f4")])
def test_a_wrong_order_of_bytes_is_settled_by_the_values(tmp_path, stated, true):
    events = np.random.default_rng(0).gamma(2, 50, (200, 3)).astype("f4")
    path = put(tmp_path, build({**keywords(3, 200), "$BYTEORD": stated}, events.astype(true).tobytes()))
    np.testing.assert_array_equal(read_events(path), events)
    assert any(n.startswith(f"$BYTEORD is {stated}, but") for n in read_header(path).notes)


def test_files_put_together_are_told(tmp_path):
    events = np.random.default_rng(0).gamma(2, 50, (200, 3)).astype("f4")
    one = build(keywords(3, 200), events.tobytes())
    path = put(tmp_path, one + one)
    np.testing.assert_array_equal(read_events(path), events)
    assert any("behind the last event are not read: they are another file" in n for n in read_header(path).notes)


def test_names_in_utf16_have_no_null(tmp_path):
    kw = {**keywords(2, 3), "$P1S": "C\0D\x003\0"}
    assert read_header(put(tmp_path, build(kw, EVENTS.tobytes()))).markers[0] == "CD3"
