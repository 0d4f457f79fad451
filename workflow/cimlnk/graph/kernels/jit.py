"""The decorator of all compiled functions: nogil, cached on disk, the cache named by what the machine code depends on.

numba renews a cached function only if its own file changes, not if a function it inlines from another file does, and
keeps it by the folder of its source, so that every copy of the sources compiles anew (half a CPU minute). Here the
cache folder is named by a hash over all files of this package, the compiler's versions and settings and the processor:
any edit starts a fresh one, and copies with the same sources share one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from llvmlite import binding
from numba.core import caching
from numba.core import config as numba_config

HERE = Path(__file__).parent
KEPT_DAYS = 90
# what changes the machine code besides the sources and the processor
SETTINGS = (
    "OPT",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "DISABLE_JIT",
    "FULL_TRACEBACKS",
)


def source_hash() -> str:
    """First sixteen hex digits of the sha256 over the kernel sources, the compiler and the processor."""
    settings = [str(getattr(numba_config, name, None)) for name in SETTINGS]
    cpu = binding.get_host_cpu_name(), sorted(binding.get_host_cpu_features().items())
    h = hashlib.sha256(repr((numba.__version__, llvmlite.__version__, settings, cpu)).encode())
    for f in sorted(HERE.glob("*.py")):
        h.update(f.name.encode() + b"\0" + hashlib.sha256(f.read_bytes()).digest())
    return h.hexdigest()[:16]


def cache_root() -> Path:
    """The folder of all caches: the first that can be written to.

    ``$CIMLNK_CACHE``, else the user's cache, else beside the sources, else (no home, all read-only) the user's own part
    of the folder for temporary files: kernels are then compiled once more after the machine has cleared it.
    """
    places = [Path(os.environ["CIMLNK_CACHE"])] if os.environ.get("CIMLNK_CACHE") else []
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 (Path.home() may raise)
    if os.path.isabs(home):
        places.append(Path(home) / "cimlnk")
    places.append(HERE / "__pycache__")
    for place in places:
        if can_be_written(place):
            return place
    return Path(tempfile.gettempdir()) / f"cimlnk-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"


def can_be_written(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder itself where it is not there yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def cache_folder() -> Path:
    """Where the machine code of these sources lies."""
    return cache_root() / f"numba-{source_hash()}"


FOLDER = cache_folder()


def clear_stale() -> list[str]:
    """Remove caches that no set-up has used for `KEPT_DAYS`; returns their names. Other checkouts may use the rest."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.utime(FOLDER)
    oldest = time.time() - KEPT_DAYS * 86400
    stale = sorted(p for p in cache_root().glob("numba-*") if p.is_dir() and p.stat().st_mtime < oldest)
    for p in stale:
        shutil.rmtree(p, ignore_errors=True)  # somebody else may be removing it as well
    return [p.name for p in stale]


class ByContent(caching.UserProvidedCacheLocator):
    """numba's question where a function's machine code lies, answered without the place or time of its source."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno
        self._cache_path = str(FOLDER)

    def get_source_stamp(self) -> str:
        return FOLDER.name

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> ByContent:
        return cls(py_func, py_file)


class Implementation(caching.CompileResultCacheImpl):
    """How a compiled function is written and read."""

    _locator_classes = [ByContent]


class OneFileAKey(caching.IndexDataCacheFile):
    """A file for every signature, named by it.

    numba numbers the files and keeps an index; two processes that compile at once can give two signatures one number,
    and a third would run code made for arrays of another type.
    """

    def name(self, key: Any) -> str:
        return f"{self._index_name.removesuffix('.nbi')}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"

    def save(self, key: Any, data: Any) -> None:
        self._save_data(self.name(key), (key, data))

    def load(self, key: Any) -> Any:
        try:
            of, data = self._load_data(self.name(key))
        except FileNotFoundError:
            return None
        return data if of == key else None

    def flush(self) -> None:
        for file in Path(self._cache_path).glob(self._index_name.removesuffix("nbi") + "*.nbc"):
            file.unlink(missing_ok=True)


class KernelCache(caching.FunctionCache):
    """The cache of one function."""

    _impl_class = Implementation

    def __init__(self, py_func: Callable[..., Any]) -> None:
        super().__init__(py_func)
        self._cache_file = OneFileAKey(str(self._cache_path), self._impl.filename_base, FOLDER.name)


def jit(fast: bool = False, inline: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile with ``nogil`` and a disk cache; `fast` allows reassociation (never use inf or nan tests inside)."""

    def decorate(function: Callable[..., Any]) -> Any:
        if inline:
            return numba.njit(inline="always")(function)
        compiled: Any = numba.njit(nogil=True, fastmath=fast)(function)
        compiled._cache = KernelCache(function)
        return compiled

    return decorate
