"""The boundary between Snakemake and the library: logging, and user errors without a traceback."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import Plain, UserError
from .provenance import provenance

MEMORY_LIMIT = "CIMLNK_MEMORY_LIMIT"
KEEP_GOING = "CIMLNK_KEEP_GOING"  # set by the Snakefile from --keep-going, inherited by every job


def keep_going() -> bool:
    """Whether a bad sample is left out (and named in the report) instead of stopping the run."""
    return os.environ.get(KEEP_GOING) == "1"


MORE_MEMORY = "a file that needs less, or more memory for the rule (--set-resources RULE:mem_mb=…)"
# What keeps one file from being read, and what keeps a machine from working.
OF_THE_FILE = {errno.EACCES, errno.EPERM, errno.EIO, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG}
OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ESTALE}


def machine_fault(error: OSError, rule: str) -> UserError | None:
    """A message for an error of the operating system that the user can mend; None if it is none of those."""
    if error.errno not in OF_THE_FILE | OF_THE_MACHINE:
        return None
    expected = "a file that can be read and written" if error.errno in OF_THE_FILE else "a working disk with free space"
    return UserError(error.filename or f"rule {rule}", "the file", Plain(error.strerror or str(error)), expected)


def _end(error: UserError, leave_out: Callable[[UserError], None] | None, logger: logging.Logger) -> None:
    logger.error("%s", error)
    if leave_out is not None and keep_going():
        print(f"cimlnk: left out: {error}", file=sys.stderr)
        leave_out(error)
        return
    print(f"cimlnk: error: {error}", file=sys.stderr)
    sys.exit(1)


def limit_memory(mem_mb: object) -> int | None:
    """Hold this process to a limit of memory drawn from a rule's ``mem_mb``; its bytes, None where there is none.

    A file that asks for more than any good one would (a damaged size, a bomb) then ends in one message of this job,
    not in the operating system killing whatever is largest. The limit is twice `mem_mb`, and 2 GB and 64 MB a core for
    what the libraries reserve, since it counts what is reserved, and `mem_mb` what is used.
    ``CIMLNK_MEMORY_LIMIT=no`` leaves it out.
    Systems other than Linux know the limit but do not keep it.
    """
    if os.environ.get(MEMORY_LIMIT, "") == "no" or not isinstance(mem_mb, int) or mem_mb <= 0:
        return None
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    wanted = (2 * mem_mb + 2048 + 64 * (os.cpu_count() or 1)) << 20
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    return limit


def _first_input(snakemake: Any) -> str:
    return next(iter(map(str, snakemake.input)), f"rule {snakemake.rule}")


@contextmanager
def job(
    snakemake: Any, leave_out: Callable[[UserError], None] | None = None, record: bool = True
) -> Iterator[dict[str, Any]]:
    """Run a script's one library call.

    Yields the provenance record (rule, params, versions, input hashes) to store with the results. Log records go to
    the rule's log file. A :class:`UserError`, and what the operating system refuses (permission, a full disk, memory),
    is printed as one message and ends the job with exit code 1; if `leave_out` is given and Snakemake runs with
    ``--keep-going``, `leave_out(error)` writes the sample's empty outputs instead, with the reason inside, so that the
    other samples can finish (but for a full disk and its like, which no other sample would survive). With
    ``record=False`` the record is empty: for intermediate files without one, where hashing large inputs would cost more
    than the job.
    """
    log = str(snakemake.log[0]) if snakemake.log else os.devnull
    handler = logging.FileHandler(log, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("cimlnk")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    limit_memory(getattr(getattr(snakemake, "resources", None), "mem_mb", None))
    params = {k: v for k, v in snakemake.params.items() if k not in ("code", "content")}
    try:
        inputs = [p for p in snakemake.input if os.path.exists(p)]
        yield provenance(snakemake.rule, params, inputs) if record else {}
    except UserError as error:
        _end(error, leave_out, logger)
    except OSError as error:
        told = machine_fault(error, snakemake.rule)
        if told is None:
            logger.exception("a fault of the program, not of the input")
            raise
        # what fails for the whole machine would fail for every sample: nobody is left out for it
        _end(told, leave_out if error.errno in OF_THE_FILE else None, logger)
    except MemoryError as error:
        logger.info("%s", error, exc_info=True)
        told = UserError(_first_input(snakemake), "memory", Plain("no more to be had"), MORE_MEMORY)
        _end(told, leave_out, logger)
    except Exception:
        logger.exception("a fault of the program, not of the input")
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
