"""The boundary between Snakemake and the library: logging, and user errors without a traceback."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .errors import LeftOutBefore, Plain, UserError, UserErrors
from .provenance import place, provenance, without_places

INTERRUPTED = "interrupted by the user"  # last line of a log: the console takes it for no failure
MEMORY_LIMIT = "CIMLNK_MEMORY_LIMIT"
KEEP_GOING = "CIMLNK_KEEP_GOING"  # set by the Snakefile from --keep-going, inherited by every job


def keep_going() -> bool:
    """Whether a bad sample is left out (and named in the report) instead of stopping the run."""
    return os.environ.get(KEEP_GOING) == "1"


MORE_MEMORY = "a file that needs less, or more memory for the rule (--set-resources RULE:mem_mb=…)"
# What keeps one file from being read, and what keeps a machine from working.
OF_THE_FILE = {errno.EACCES, errno.EPERM, errno.EIO, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG}
OF_THE_FILE |= {errno.ELOOP, errno.ENXIO}
OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.EFBIG}
OF_THE_MACHINE |= {errno.ETIMEDOUT, errno.ENODEV}


def _number(error: BaseException) -> int | None:
    """What the operating system said, also where a library tells it in words (HDF5) or by a short count (numpy)."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    text = str(error)
    told = re.search(r"[Ee]rrno\s*=?\s*([0-9]+)", text)
    if told:
        return int(told[1])
    short = re.search(r"[0-9]+ requested and [0-9]+ written", text)  # numpy's tofile, which asks no further
    return errno.ENOSPC if short or "No space left on device" in text else None


def machine_fault(error: BaseException, rule: str) -> UserError | None:
    """A message for an error of the operating system that the user can mend; None if it is none of those.

    Parameters
    ----------
    error
        What was raised. What it was raised from counts too: libraries wrap the system's errors into their own.
    rule
        Named where the error names no file.
    """
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen:
        number = _number(at)
        if number in OF_THE_FILE | OF_THE_MACHINE:
            expected = "a file that can be read and written"
            if number in OF_THE_MACHINE:
                expected = "a working disk with free space"
            name = getattr(at, "filename", None)
            return UserError(name or f"rule {rule}", "the file", Plain(os.strerror(number)), expected)
        seen.append(at)
        at = at.__cause__ or at.__context__
    return None


def _told(error: BaseException, snakemake: Any) -> tuple[UserError | None, bool]:
    """The one message for an error, None for a fault of the program; and whether it is of one file only."""
    if isinstance(error, UserError):
        return error, True
    if isinstance(error, MemoryError):
        return UserError(_first_input(snakemake), "memory", Plain("no more to be had"), MORE_MEMORY), True
    if errno.ENOENT in _chained(error) and (gone := _taken_away(snakemake)):
        what, of_the_file = gone
        return UserError(
            what, "the run", Plain("it is not there any more"), "all files left until the run ends"
        ), of_the_file
    # what fails for the whole machine would fail for every sample: no sample is left out for it
    return machine_fault(error, snakemake.rule), _chained(error).isdisjoint(OF_THE_MACHINE)


def _chained(error: BaseException | None) -> set[int | None]:
    numbers: set[int | None] = set()
    for _ in range(20):  # a chain could be a circle
        if error is None:
            break
        numbers.add(_number(error))
        error = error.__cause__ or error.__context__
    return numbers


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


class _Log(logging.FileHandler):
    """A rule's log, held by one process at a time.

    A job whose Snakemake was killed works on. The next run starts the same job, and two would write one file, the
    older one perhaps with older settings and last: the second one waits here until the first has ended. Works between
    machines where their common disk keeps locks; where it does not, the log says so.
    """

    def __init__(self, path: str, waiting: Callable[[], None]) -> None:
        self.whole = True  # whether every record was written
        self._held = open(path, "a")  # noqa: SIM115 (until the process or the job ends)
        no_locks = None
        try:
            import fcntl

            try:
                fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(self._held, fcntl.LOCK_EX)
        except (ImportError, OSError) as error:
            no_locks = error
        super().__init__(path, mode="w")
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        if no_locks is not None:
            text = "no lock could be had (%s): make sure that no job of a killed run is still at work"
            self.handle(
                logging.makeLogRecord({"name": "cimlnk", "levelname": "INFO", "msg": text, "args": (no_locks,)})
            )

    def handleError(self, record: logging.LogRecord) -> None:
        """A record that cannot be written (a full disk) stops nothing: what ends the job is told on stderr anyway."""
        self.whole = False

    def close(self) -> None:
        try:
            super().close()
        except OSError:
            self.whole = False
        finally:
            self._held.close()


def _end(
    error: Exception, snakemake: Any, leave_out: Callable[[UserError], None] | None, *, logger: logging.Logger
) -> None:
    """Say what is wrong and end the job: by leaving out the sample where that may be, else with exit code 1."""
    told, of_the_file = _told(error, snakemake)
    if told is None:
        logger.exception("a fault of the program, not of the input")
        raise error
    logger.log(logging.ERROR if told is error else logging.INFO, "%s", told, exc_info=told is not error)
    if leave_out is not None and of_the_file and keep_going():
        try:
            leave_out(_for_results(told, snakemake))
            if not isinstance(told, LeftOutBefore):
                print(f"cimlnk: left out: {told}", file=sys.stderr)
            return
        except (OSError, MemoryError, RuntimeError) as second:
            # even the empty results cannot be written
            again, _ = _told(second, snakemake)
            if again is None:
                raise
            told = again
    print(f"cimlnk: error: {told}", file=sys.stderr, flush=True)
    if not of_the_file and type(snakemake).__module__.startswith("snakemake"):
        _end_quietly()
    sys.exit(1)


def _end_quietly() -> None:
    """Let nothing more be said or written when this process ends.

    Files that could not be written whole are closed once more then: zipfile tells it in a traceback, and HDF5 crashes.
    """
    import atexit

    sys.unraisablehook = lambda _: None
    atexit.register(os._exit, 1)  # what is registered last is called first


def _for_results(told: UserError, snakemake: Any) -> UserError:
    """The message as results keep it: without the folders of this machine."""
    reason = type(told).__new__(type(told))
    reason.__dict__.update(vars(told))
    given = [*snakemake.input, *(v for _, v in snakemake.params.items() if isinstance(v, str)), os.getcwd() + "/x"]
    reason.args = (without_places(str(told), given),)
    if not isinstance(told, UserErrors):
        reason.file = place(told.file)
    return reason


def _taken_away(snakemake: Any) -> tuple[str, bool] | None:
    """The input, or the folder of an output, that was removed while the job was at work; whether it is an input."""
    for path in map(str, snakemake.input):
        if not os.path.exists(path):
            return path, True
    for path in map(str, [*getattr(snakemake, "output", []), *snakemake.log]):
        if not os.path.isdir(os.path.dirname(path) or "."):
            return os.path.dirname(path), False
    return None


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
    logger = logging.getLogger("cimlnk")
    logger.setLevel(logging.INFO)
    handler: logging.Handler = logging.NullHandler()
    logger.addHandler(handler)
    limit_memory(getattr(getattr(snakemake, "resources", None), "mem_mb", None))
    params = {k: v for k, v in snakemake.params.items() if k not in ("code", "content")}
    try:
        if snakemake.log:
            path = str(snakemake.log[0])
            words = f"cimlnk: rule {snakemake.rule} waits: a job of an earlier run is still at it ({path})"
            log = _Log(path, lambda: print(words, file=sys.stderr, flush=True))
            logger.removeHandler(handler)
            logger.addHandler(handler := log)
        inputs = [p for p in snakemake.input if os.path.exists(p)]
        yield provenance(snakemake.rule, params, inputs) if record else {}
    except KeyboardInterrupt:  # Ctrl-C ends Snakemake and all its jobs: it needs no traceback of each
        logger.info(INTERRUPTED)
        sys.exit(130)
    except Exception as error:  # noqa: BLE001 (raised again unless it is a user's mistake that can be reported)
        _end(error, snakemake, leave_out, logger=logger)
    finally:
        logger.removeHandler(handler)
        handler.close()
