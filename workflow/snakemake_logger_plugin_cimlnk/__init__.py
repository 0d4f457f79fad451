"""Snakemake logger plugin ``cimlnk``: the console of ``./run``; what it prints is made in ``cimlnk.front.console``.

Snakemake finds it by the name of this package on its path. The full log stays in ``.snakemake/log/``.
"""

from __future__ import annotations

import sys
from logging import LogRecord

from snakemake_interface_logger_plugins.base import LogHandlerBase

from cimlnk.front.console import Console


class LogHandler(LogHandlerBase):
    """Hands Snakemake's events to a :class:`cimlnk.front.console.Console` on standard error."""

    def __post_init__(self) -> None:
        self.console = Console(sys.stderr, dryrun=self.common_settings.dryrun)

    def emit(self, record: LogRecord) -> None:
        try:
            self.console.take(record)
        except Exception:  # noqa: BLE001 (logging's own way: print the traceback, never stop the run)
            self.handleError(record)

    def close(self) -> None:
        self.console.close()
        super().close()

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False
