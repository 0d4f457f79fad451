"""User mistakes: one clear message, never a traceback.

Anything a user can get wrong (a file, a sheet, a config key) raises :class:`UserError`. Programming errors keep
their ordinary exceptions and tracebacks, so that they are seen for what they are.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: object, valid: Iterable[object]) -> str | None:
    """Return the entry of `valid` closest in spelling to `name` (case-insensitive), or None if nothing is near."""
    table = {str(v).lower(): str(v) for v in valid}
    hit = difflib.get_close_matches(str(name).lower(), table, n=1, cutoff=0.5)
    return table[hit[0]] if hit else None


class UserError(Exception):
    """A mistake in the user's input, told in one message.

    Parameters
    ----------
    file
        The file (or sheet, or config file) at fault.
    where
        Row, column, channel or config key, in words: ``"row 3, column day"``.
    found
        What stands there.
    expected
        What should stand there.
    valid
        The valid names, if there is a list of them; the nearest one to `found` is suggested.

    Examples
    --------
    >>> print(UserError("samples.tsv", "row 2, column arm", "CIMl", "one of the arms in the config", ["CIML"]))
    samples.tsv: row 2, column arm: found 'CIMl', expected one of the arms in the config (did you mean 'CIML'?)
    """

    def __init__(
        self,
        file: object,
        where: str,
        found: object,
        expected: str,
        valid: Iterable[object] | None = None,
    ) -> None:
        self.file, self.where, self.found, self.expected = str(file), where, found, expected
        self.suggestion = nearest(found, valid) if valid is not None else None
        found_text = found if isinstance(found, Plain) else repr(found)
        text = f"{self.file}: {where}: found {found_text}, expected {expected}"
        if self.suggestion is not None:
            text += f" (did you mean {self.suggestion!r}?)"
        super().__init__(text)


class Plain(str):
    """A `found` text shown without quotes: ``Plain("no file")``, ``Plain("3 rows")``."""


class UserErrors(UserError):
    """Several mistakes reported together; str() has one line per mistake."""

    def __init__(self, errors: list[UserError]) -> None:
        self.errors = errors
        Exception.__init__(self, "\n".join(str(e) for e in errors))


class Problems:
    """Collects user errors so that all problems of a sheet are reported together.

    Examples
    --------
    >>> problems = Problems()
    >>> problems.add("samples.tsv", "row 2, column day", "x", "an integer")
    >>> problems.raise_if_any()
    Traceback (most recent call last):
    ...
    cimlnk.common.errors.UserErrors: samples.tsv: row 2, column day: found 'x', expected an integer
    """

    def __init__(self) -> None:
        self.errors: list[UserError] = []

    def add(
        self, file: object, where: str, found: object, expected: str, valid: Iterable[object] | None = None
    ) -> None:
        self.errors.append(UserError(file, where, found, expected, valid))

    def extend(self, error: UserError) -> None:
        self.errors.extend(error.errors if isinstance(error, UserErrors) else [error])

    def raise_if_any(self) -> None:
        if self.errors:
            raise UserErrors(self.errors)
