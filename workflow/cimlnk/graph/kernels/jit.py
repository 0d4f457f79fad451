"""The decorator of all compiled functions: nogil, cached on disk, the cache named by the hash of the sources.

numba renews a cached function only if its own file changes, not if a function it inlines from another file does. So
the cache folder carries a hash over all files of this package: any edit starts a fresh one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config as numba_config

HERE = Path(__file__).parent


def source_hash() -> str:
    """First eight hex digits of the sha256 over the kernel sources and the compiler's version."""
    h = hashlib.sha256(numba.__version__.encode())
    for f in sorted(HERE.glob("*.py")):
        h.update(f.name.encode() + b"\0" + f.read_bytes())
    return h.hexdigest()[:8]


def cache_root() -> Path:
    """The folder of all caches: the first that can be written to.

    ``$CIMLNK_CACHE``, else beside the sources, else the user's cache, else (no home, all read-only) the user's own part
    of the folder for temporary files: kernels are then compiled once more after the machine has cleared it.
    """
    places = [Path(os.environ["CIMLNK_CACHE"])] if os.environ.get("CIMLNK_CACHE") else []
    places.append(HERE / "__pycache__")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 (Path.home() may raise)
    if os.path.isabs(home):
        places.append(Path(home) / "cimlnk")
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
    """Remove caches of other versions of the sources; returns their names."""
    stale = sorted(p for p in cache_root().glob("numba-*") if p.is_dir() and p != FOLDER)
    for p in stale:
        shutil.rmtree(p)
    return [p.name for p in stale]


def jit(fast: bool = False, inline: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile with ``nogil`` and a disk cache; `fast` allows reassociation (never use inf or nan tests inside)."""

    def decorate(function: Callable[..., Any]) -> Any:
        if inline:
            return numba.njit(inline="always")(function)
        config: Any = numba_config  # numba fills this module at run time
        before = config.CACHE_DIR
        config.CACHE_DIR = str(FOLDER)
        try:
            return numba.njit(nogil=True, cache=True, fastmath=fast)(function)
        finally:
            config.CACHE_DIR = before

    return decorate
