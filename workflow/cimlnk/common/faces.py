"""The public names of a package, each loaded from its module on first use, so that a face costs no imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def face(package: str, home: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__`` and ``__all__`` of a package whose public names lie in its modules (PEP 562).

    Parameters
    ----------
    package
        ``__name__`` of the package.
    home
        Public name -> module of the package that has it. A package keeps it as ``_HOME``, a literal: the hash of a
        rule's code is found by reading it, not by running it.

    Examples
    --------
    >>> getter, _, names = face("cimlnk.common", {"Problems": "errors"})
    >>> names, getter("Problems").__name__
    (['Problems'], 'Problems')
    """

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{home[name]}", package), name)

    names = sorted(home)
    return get, lambda: names, names
