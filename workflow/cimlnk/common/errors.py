"""User mistakes: one clear message, never a traceback.

Anything a user can get wrong (a file, a sheet, a config key) raises :class:`UserError`. Programming errors keep
their ordinary exceptions and tracebacks, so that they are seen for what they are.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence


def nearest(name: object, valid: Iterable[object]) -> str | None:
    """Return the entry of `valid` closest in spelling to `name` (case-insensitive), or None if nothing is near.

    Of several near ones the only one that begins with `name` is meant: IL2_only by IL2, not CIML.
    """
    table = {str(v).lower(): str(v) for v in valid}
    longer = [v for k, v in table.items() if len(str(name)) > 2 and k.startswith(str(name).lower())]
    if len(longer) == 1:
        return longer[0]
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
        The valid names, if there is a list of them, or what makes the list; the nearest one to `found` is suggested.

    Examples
    --------
    >>> print(UserError("samples.tsv", "row 2, column arm", "CIMl", "one of the arms in the config", ["CIML"]))
    samples.tsv: row 2, column arm: found 'CIMl', expected one of the arms in the config (did you mean 'CIML'?)
    """

    def __init__(  # noqa: PLR0917 - the order of the sentence it becomes
        self,
        file: object,
        where: str,
        found: object,
        expected: str,
        valid: Iterable[object] | Callable[[], Iterable[object]] | None = None,
    ) -> None:
        valid = valid() if callable(valid) else valid
        self.file, self.where, self.found, self.expected = str(file), where, found, expected
        self.suggestion = nearest(found, valid) if valid is not None else None
        found_text = found if isinstance(found, Plain) else shortened(repr(found))
        text = f"{self.file}: {where}: found {found_text}, expected {expected}"
        if self.suggestion is not None:
            text += f" (did you mean {self.suggestion!r}?)"
        super().__init__(on_one_line(without_secrets(text)))


LONGEST = 160  # characters of what was found that a message repeats


def shortened(text: str) -> str:
    """`text` without its middle where it is long: what was found may be a whole book.

    Examples
    --------
    >>> shortened("a" * 2_000_000)[76:]
    'aaaa… (2,000,000 characters) …aaaaaaaaaaaaaaaaaaaa'
    """
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}… ({len(text):,} characters) …{text[-20:]}"


def on_one_line(text: str) -> str:
    """`text` with control characters, line separators and reversals of the writing direction as escapes.

    Examples
    --------
    >>> on_one_line("column a\x0bb")
    'column a\\x0bb'
    """
    odd = ("Cc", "Cf", "Cs", "Zl", "Zp")
    if not any(unicodedata.category(c) in odd for c in text):
        return text
    return "".join(c.encode("unicode_escape").decode() if unicodedata.category(c) in odd else c for c in text)


def without_secrets(text: str) -> str:
    """`text` with ``user:password@`` of addresses hidden: messages and results are sent around."""
    return re.sub(r"(\w://)[^/@\s'\"]*@", r"\1***@", text)


class Plain(str):
    """A `found` text shown without quotes: ``Plain("no file")``, ``Plain("3 rows")``."""


class UserErrors(UserError):
    """Several mistakes reported together; str() has one line per mistake."""

    def __init__(self, errors: list[UserError]) -> None:
        self.errors = errors
        Exception.__init__(self, "\n".join(str(e) for e in errors))


class LeftOutBefore(UserError):
    """A file that an earlier step left out: `reason` is what was told then, and is not told again."""

    def __init__(self, file: object, reason: str) -> None:
        self.file, self.where, self.found, self.expected = (
            str(file),
            "an earlier step",
            Plain(reason),
            "a prepared file",
        )
        self.suggestion = None
        Exception.__init__(self, reason)


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
        self._guessed: dict[tuple[str, str], int] = {}

    def add(  # noqa: PLR0917 - as UserError
        self,
        file: object,
        where: str,
        found: object,
        expected: str,
        valid: Iterable[object] | Callable[[], Iterable[object]] | None = None,
    ) -> None:
        if valid is not None:
            # thousands of rows may be wrong in one way, and each comparison with thousands of names takes its time
            kind = (str(file), expected)
            self._guessed[kind] = self._guessed.get(kind, 0) + 1
            valid = valid if self._guessed[kind] <= MOST_GUESSED else None
        self.errors.append(UserError(file, where, found, expected, valid))

    def extend(self, error: UserError) -> None:
        self.errors.extend(error.errors if isinstance(error, UserErrors) else [error])

    def raise_if_any(self) -> None:
        if self.errors:
            raise UserErrors(grouped(self.errors))


ROW = re.compile(r"row ([^,\n]+)(, column [^\n]+)")
MOST_GUESSED = 30  # mistakes of one kind that are compared with the valid names
SHOWN = 4  # rows and values named in one line


def grouped(errors: Sequence[UserError]) -> list[UserError]:
    """One error for each kind of mistake: the same thing expected in the same column of several rows.

    Examples
    --------
    >>> mistakes = [UserError("a.tsv", f"row {n}, column arm", "HD", "an arm") for n in range(2, 32)]
    >>> print(grouped(mistakes)[0])
    a.tsv: rows 2, 3, 4, 5, … (30 in all), column arm: found 'HD', expected an arm
    """
    kinds: dict[tuple[str, ...], list[UserError]] = {}
    for error in errors:
        place = ROW.fullmatch(error.where)
        kinds.setdefault((error.file, place[2] if place else error.where, error.expected), []).append(error)
    return [_merged(several) if len(several) > 1 else several[0] for several in kinds.values()]


def _merged(errors: Sequence[UserError]) -> UserError:
    first = errors[0]
    rows, column = [], ""
    for error in errors:
        place = ROW.fullmatch(error.where)
        if place is not None:
            rows.append(place[1])
            column = place[2]
    rows = list(dict.fromkeys(rows))
    founds = list(dict.fromkeys(e.found if isinstance(e.found, Plain) else shortened(repr(e.found)) for e in errors))
    words = ", ".join(founds[:SHOWN]) + (f", … ({len(founds)} in all)" if len(founds) > SHOWN else "")
    where = f"{'rows' if len(rows) > 1 else 'row'} {', '.join(rows[:SHOWN])}"
    where += (f", … ({len(rows)} in all)" if len(rows) > SHOWN else "") + column
    where = where if rows else first.where
    merged = UserError(first.file, where, Plain(words), first.expected)
    hints = {e.suggestion for e in errors[:MOST_GUESSED]}
    merged.suggestion = first.suggestion if len(hints) == 1 else None
    if merged.suggestion is not None:
        merged.args = (f"{merged} (did you mean {merged.suggestion!r}?)",)
    return merged
