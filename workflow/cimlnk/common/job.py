"""The boundary between Snakemake and the library: logging, and user errors without a traceback."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import UserError
from .provenance import provenance

KEEP_GOING = "CIMLNK_KEEP_GOING"  # set by the Snakefile from --keep-going, inherited by every job


def keep_going() -> bool:
    """Whether a bad sample is left out (and named in the report) instead of stopping the run."""
    return os.environ.get(KEEP_GOING) == "1"


@contextmanager
def job(
    snakemake: Any, leave_out: Callable[[UserError], None] | None = None, record: bool = True
) -> Iterator[dict[str, Any]]:
    """Run a script's one library call.

    Yields the provenance record (rule, params, versions, input hashes) to store with the results. Log records go to
    the rule's log file. A :class:`UserError` is printed as one message and ends the job with exit code 1; if
    `leave_out` is given and Snakemake runs with ``--keep-going``, `leave_out(error)` writes the sample's empty
    outputs instead, with the reason inside, so that the other samples can finish. With ``record=False`` the record is
    empty: for intermediate files without one, where hashing large inputs would cost more than the job.
    """
    log = str(snakemake.log[0]) if snakemake.log else os.devnull
    handler = logging.FileHandler(log, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("cimlnk")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    params = {k: v for k, v in snakemake.params.items() if k != "code"}
    try:
        inputs = [p for p in snakemake.input if os.path.exists(p)]
        yield provenance(snakemake.rule, params, inputs) if record else {}
    except UserError as error:
        logger.error("%s", error)
        if leave_out is not None and keep_going():
            print(f"cimlnk: left out: {error}", file=sys.stderr)
            leave_out(error)
        else:
            print(f"cimlnk: error: {error}", file=sys.stderr)
            sys.exit(1)
    except Exception:
        logger.exception("a fault of the program, not of the input")
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
