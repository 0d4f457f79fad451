"""YAML of the user's: its content, or one message with file and line."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimlnk.common.errors import UserError
from cimlnk.common.yaml_file import key_lines, read_yaml

FAULTS = {
    "section twice": (b"rna:\n  qc: {a: 1}\nseed: 1\nrna:\n  nk: {}\n", "line 4: found 'rna' a second time", "line 1"),
    "key twice below": (b"a:\n  b: 1\n  b: 2\n", "line 3: found 'b' a second time", "line 2"),
    "tab": (b"a:\n\tb: 1\n", "line 2: found", "not tabs"),
    "Latin-1": ("id: a\ntitle: M\u00fcnchen\n".encode("latin-1"), "line 2: found 'title: M\u00fcnchen'", "UTF-8"),
    "UTF-16": ("id: a\n".encode("utf-16"), "found UTF-16", "UTF-8"),
    "not closed": (b"a: 1\nb: [1, 2\nc: 3\n", "line 3: found", "valid YAML"),
    "another's tag": (b"a: !!python/object:os.system x\n", "line 1: found", "valid YAML"),
    "laughs": (b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
        f"{c}: &{c} [{', '.join([f'*{p}'] * 10)}]\n".encode() for p, c in zip("abcdef", "bcdefg", strict=True)
    ), "unfolded", "at most a million"),
    "a loop": (b"a: &a [*a]\n", "loop", "levels"),
    "no date": (b"a: 2024-99-99\n", "content: found", "valid YAML"),
    "deep": (b"[" * 3000, "found", "expected"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_its_place(tmp_path, fault):
    content, where, words = FAULTS[fault]
    (tmp_path / "mine.yaml").write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_yaml(tmp_path / "mine.yaml", "mine.yaml")
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith("mine.yaml: ")
    assert where in str(caught.value) and words in str(caught.value)


def test_what_is_sound_is_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffa: &x {b: 1}\r\nc:\r\n  <<: *x\r\n  d: [1, {e: 2}]\r\n".encode())
    assert read_yaml(path) == {"a": {"b": 1}, "c": {"b": 1, "d": [1, {"e": 2}]}}
    assert key_lines(path)["c.d[1].e"] == 4
    path.write_bytes(b"")
    assert read_yaml(path) is None


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80) | st.text("ab:-[]{}&*!|>#'\"?,\t\n <", max_size=80).map(str.encode))
def test_whatever_stands_there_is_content_or_one_message(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    with contextlib.suppress(UserError):
        read_yaml(path)


@pytest.mark.parametrize("text", [r'a: "x\ud800"', r'a: "x\0"', r'? "x\0"'])
def test_an_escape_that_no_file_can_hold_is_refused(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text + "\n")
    with pytest.raises(UserError, match=r"a.yaml: line 1: found '.*half characters"):
        read_yaml(tmp_path / "a.yaml", "a.yaml")
