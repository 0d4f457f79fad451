"""Where compiled kernels are kept: the first folder that can be written to, and one there is for everybody."""

from __future__ import annotations

import os
from pathlib import Path

from cimlnk.graph.kernels import jit


def test_the_first_folder_that_can_be_written_holds_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMLNK_CACHE", str(tmp_path / "a/b"))
    assert jit.cache_root() == tmp_path / "a/b"
    shut = {tmp_path}
    monkeypatch.setattr(os, "access", lambda path, how: not any(Path(path).is_relative_to(s) for s in shut))
    assert jit.cache_root() == jit.HERE / "__pycache__"
    shut.add(jit.HERE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/")
    assert jit.cache_root() == Path("/cimlnk")
    shut.add(Path("/"))
    assert jit.cache_root().name.startswith("cimlnk-")


def test_without_a_home_there_is_a_cache(monkeypatch):
    for name in ("CIMLNK_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(jit, "can_be_written", lambda folder: False)
    monkeypatch.setattr(os.path, "expanduser", lambda text: text)  # what it gives a user who is in no list
    assert jit.cache_root().name.startswith("cimlnk-")
