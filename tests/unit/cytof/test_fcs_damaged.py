"""Damaged FCS files are read or refused in one line, and end in nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import read_events, read_header
from fcs_bytes import EVENTS, build, keywords


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
BASES = [BASE, build(keywords(3, 2, "I", bits=16, order="2,1", _P2B="8", _P1R="100"), bytes(range(10)))]
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
        return build(kw, draw(st.binary(max_size=80)), delimiter, version=draw(st.sampled_from(["FCS2.0", "FCS3.2"])))
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
