"""FCS files whose header states other places, numbers or orders of bytes than the data have."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import read_events, read_header
from fcs_bytes import EVENTS, build, keywords, put


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


def test_several_data_sets_give_the_first_and_a_note(tmp_path):
    raw = build(keywords(2, 3) | {"$NEXTDATA": "4096"}, EVENTS.tobytes())
    header = read_header(put(tmp_path, raw + raw))
    assert header.n_events == 3 and any("first is read" in n for n in header.notes)


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
