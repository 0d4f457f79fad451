"""Where compiled kernels are kept: the first folder that can be written to, and one there is for everybody."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cimlnk.graph.kernels import jit


def test_the_first_folder_that_can_be_written_holds_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMLNK_CACHE", str(tmp_path / "a/b"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert jit.cache_root() == tmp_path / "a/b"
    shut = {tmp_path / "a"}
    monkeypatch.setattr(
        os, "access", lambda path, how: path != tmp_path and not any(Path(path).is_relative_to(s) for s in shut)
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "user").mkdir()
    assert jit.cache_root() == tmp_path / "user/cimlnk"
    shut.add(tmp_path / "user")
    assert jit.cache_root() == jit.HERE / "__pycache__"
    shut.add(jit.HERE)
    assert jit.cache_root().name.startswith("cimlnk-")


def test_without_a_home_there_is_a_cache(monkeypatch):
    for name in ("CIMLNK_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(jit, "can_be_written", lambda folder: False)
    monkeypatch.setattr(os.path, "expanduser", lambda text: text)  # what it gives a user who is in no list
    assert jit.cache_root().name.startswith("cimlnk-")


KERNEL = """from cimlnk.graph.kernels.jit import jit

@jit()
def total(values):
    s = values[0]
    for i in range(1, len(values)):
        s += values[i]
    return s
"""


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The kernel as each of several checkouts reads it."""
    monkeypatch.setattr(jit, "FOLDER", tmp_path / "cache/numba-0")

    def read(place):
        file = tmp_path / place / "kernel.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(KERNEL)
        spec = importlib.util.spec_from_file_location("kernel", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.total

    return read


def test_copies_of_the_sources_share_what_one_has_compiled(copy):
    first, second = copy("here"), copy("there")
    assert first(np.arange(4)) == second(np.arange(4)) == 6
    assert sum(first.stats.cache_misses.values()) == sum(second.stats.cache_hits.values()) == 1
    assert sum(second.stats.cache_misses.values()) == 0


def test_two_that_compile_at_once_never_take_each_others_code(copy):
    one, other = copy("here"), copy("there")
    # neither has seen what the other writes: numba's own cache would call both its first file
    one._cache._cache_file._load_index = other._cache._cache_file._load_index = dict
    one(np.arange(4, dtype="i8")), other(np.array([0.5, 1.0]))
    third = copy("third")
    assert third(np.array([0.5, 1.0])) == 1.5 and third(np.arange(4, dtype="i8")) == 6
    assert sum(third.stats.cache_hits.values()) == 2


def test_a_set_up_removes_only_caches_long_unused(tmp_path, monkeypatch):
    monkeypatch.setenv("CIMLNK_CACHE", str(tmp_path))
    monkeypatch.setattr(jit, "FOLDER", tmp_path / "numba-mine")
    for name, days in (("numba-old", 200), ("numba-other", 3), ("numba-mine", 200), ("else", 200)):
        (tmp_path / name).mkdir()
        then = (tmp_path / name).stat().st_mtime - days * 86400
        os.utime(tmp_path / name, (then, then))
    assert jit.clear_stale() == ["numba-old"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["else", "numba-mine", "numba-other"]


def test_the_name_of_the_cache_changes_with_sources_and_compiler(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("1")
    monkeypatch.setattr(jit, "HERE", tmp_path)
    names = {jit.source_hash()}
    (tmp_path / "a.py").write_text("2")
    names.add(jit.source_hash())
    monkeypatch.setattr(jit.llvmlite, "__version__", "0")
    names.add(jit.source_hash())
    monkeypatch.setattr(jit.numba_config, "BOUNDSCHECK", 1)
    names.add(jit.source_hash())
    assert len(names) == 4


COLD = """import importlib, inspect, pkgutil, re
import cimlnk.graph
from cimlnk.graph.warm import warm
warm()
for info in pkgutil.iter_modules(cimlnk.graph.__path__):
    if info.ispkg or info.name == "reference":
        continue
    module = importlib.import_module(f"cimlnk.graph.{info.name}")
    used = list(vars(module).values())
    for name, part in set(re.findall(r"\\b(\\w+)\\.(\\w+)\\b", inspect.getsource(module))):
        if inspect.ismodule(kernels := vars(module).get(name)) and "kernels" in kernels.__name__:
            used.append(getattr(kernels, part, None))
    for kernel in used:
        if hasattr(kernel, "py_func") and not kernel.signatures:
            print(info.name, kernel.py_func.__name__)
"""


def test_setting_up_compiles_every_kernel_that_is_called_from_python():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", COLD], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
