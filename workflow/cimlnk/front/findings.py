"""What a check finds: things that would stop a run, things to read with care, and plain facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

STOP, WARN, NOTE = "stop", "warn", "note"
WORDS = {STOP: "would stop the run", WARN: "read with care", NOTE: "note"}


@dataclass
class Findings:
    """Findings in the order they were made, tables by title, and pictures by title.

    Pictures are drawn into `folder`; without one none are.
    """

    found: list[tuple[str, str]] = field(default_factory=list)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    pictures: dict[str, Path] = field(default_factory=dict)
    folder: Path | None = None
    summary: str = ""  # what the files are of, in a line
    grid: list[str] = field(default_factory=list)  # who was sampled when, where patients are too many for one look
    page_only: set[str] = field(default_factory=set)  # titles of tables that a console has no room for

    def add(self, level: str, text: str) -> None:
        """Note a finding; one that is there already is not repeated."""
        if (level, text) not in self.found:
            self.found.append((level, text))

    def of(self, level: str) -> list[str]:
        """The texts of one level."""
        return [text for found, text in self.found if found == level]

    @property
    def stops(self) -> bool:
        """Whether a run would not finish."""
        return bool(self.of(STOP))
