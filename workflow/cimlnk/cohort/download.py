"""Raw files from the web: fetched once, taken up again where they broke off, verified."""

from __future__ import annotations

import http.client
import logging
import os
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.provenance import sha256 as sha256_of

log = logging.getLogger(__name__)
BLOCK = 1 << 20
# Folders with files that were fetched before, by whatever way. With OFFLINE nothing else is asked, and no network.
OFFLINE, STORE = "CIMLNK_OFFLINE", "CIMLNK_TEST_DATA"
# Answers after which asking again may help; every other 4xx is final.
PASSING = {408, 425, 429, 500, 502, 503, 504}


def download(
    url: str,
    target: str | Path,
    sha256: str,
    *,
    file: str = "sample sheet",
    where: str = "column path",
    timeout: float = 60,
    retries: int = 3,
    pause: float = 2,
    most: int = 50_000_000_000,
) -> None:
    """Fetch `url` to `target` and verify it; `target` only ever exists complete and verified.

    What has arrived is kept in a ``.part`` file beside it: an interrupted download (also of an earlier run) goes on
    from there with an HTTP range request, or starts again if the server does not do ranges.

    Parameters
    ----------
    url
        http or https address.
    target
        File to write; its folder is made. If it exists with the right checksum nothing is fetched.
    sha256
        64 hexadecimal digits. A file that has it below the folder CIMLNK_OFFLINE or CIMLNK_TEST_DATA names is copied
        instead of fetched; with CIMLNK_OFFLINE nothing is ever fetched.
    file, where
        Where the address stands, for messages.
    timeout
        Seconds without a byte after which a try is given up.
    retries
        Further tries after a time-out, a broken connection, a truncated answer or a busy server.
    pause
        Seconds before the first further try; doubled each time.
    most
        Bytes of the largest file there may be. A longer one is refused by the length its server announces, and stopped
        at this size where none is announced or the announced one was wrong.

    Raises
    ------
    UserError
        For a file larger than `most` or than the free space of the disk; for an address that cannot be fetched (with
        the server's answer), and for a file with another checksum (which
        is removed, so that the next run fetches it again).
    """
    target, wanted = Path(target), sha256.lower()
    if target.exists() and sha256_of(target) == wanted:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    for variable in (OFFLINE, STORE):
        folder = os.environ.get(variable)
        if folder and (found_here := stored(folder, url, wanted)) is not None:
            log.info("%s: taken from %s by its checksum", url, found_here)
            shutil.copyfile(found_here, target)
            return
        if folder and variable == OFFLINE:
            raise UserError(file, where, url, f"a file with sha256 {wanted} below {folder}, as {OFFLINE} is set")
    # Named after the checksum too, so that what is left of another file under the same name is never gone on with.
    part = target.with_name(f"{target.name}.{wanted[:8]}.part")
    resumed = part.exists()
    again: dict[str, Any] = {"where": where, "timeout": timeout, "retries": retries, "pause": pause, "most": most}
    _fetch_patiently(url, part, file, **again)
    if sha256_of(part) != wanted and resumed:
        log.warning("%s: wrong checksum after going on with an older part: fetching it from the start", url)
        part.unlink()
        _fetch_patiently(url, part, file, **again)
    found = sha256_of(part)
    if found != wanted:
        size = part.stat().st_size
        part.unlink()
        raise UserError(file, where, Plain(f"sha256 {found} ({size} bytes) at {url}"), f"sha256 {wanted}")
    part.replace(target)


def stored(folder: str | Path, url: str, sha256: str) -> Path | None:
    """The file below `folder` that has the checksum, None if there is none; files of the URL's own name come first."""
    name = urllib.parse.unquote(urllib.parse.urlsplit(url).path).rsplit("/", 1)[-1]
    suffix = Path(name).suffix.lower()
    files = [p for p in sorted(Path(folder).rglob("*")) if p.suffix.lower() == suffix and p.is_file()]
    for path in sorted(files, key=lambda p: p.name != name):
        if sha256_of(path) == sha256:
            return path
    return None


def _fetch_patiently(
    url: str, part: Path, file: str, *, where: str, timeout: float, retries: int, pause: float, most: int
) -> None:
    """:func:`_fetch` with further tries after whatever may pass."""
    expected = "an address that can be fetched"
    problem = ""
    for attempt in range(retries + 1):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            return _fetch(url, part, timeout, most=most)
        except _TooLarge as error:
            raise UserError(file, where, Plain(f"{error} at {url}"), error.expected) from None
        except urllib.error.HTTPError as error:
            problem = f"the server says {error.code} {error.reason}"
            if error.code not in PASSING:
                raise UserError(file, where, url, f"{expected}, but {problem}") from None
        except http.client.IncompleteRead as error:
            problem = f"the connection ended {error.expected} bytes too early"
        except TimeoutError:
            problem = f"no byte came in {timeout:g} s"
        except urllib.error.URLError as error:
            slow = isinstance(error.reason, TimeoutError)
            problem = f"no answer came in {timeout:g} s" if slow else str(error.reason)
        except (http.client.HTTPException, ConnectionError) as error:
            problem = str(error) or type(error).__name__
        log.warning("%s: %s (try %d of %d)", url, problem, attempt + 1, retries + 1)
    raise UserError(file, where, url, f"{expected}, but {problem} ({retries + 1} tries)")


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows a server to other addresses of the web, and to nothing else."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: PLR0917
        if not newurl.lower().startswith(("http://", "https://")):
            raise urllib.error.HTTPError(newurl, 403, "a redirect to an address that is not http(s)", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _TooLarge(Exception):
    """More bytes than there may be, or than the disk has room for; nothing that passes."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(found)
        self.expected = expected


def _fetch(url: str, part: Path, timeout: float, *, most: int) -> None:
    """Append to `part` what it lacks of `url`.

    Raises
    ------
    _TooLarge
        If there is more than `most` bytes or than fit on the disk; `part` is then removed, or was not begun.
    http.client.IncompleteRead
        If the connection ends before the announced length.
    """
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.build_opener(_WebOnly).open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        # The range starts at or behind the end: all is there, or the part is of another file. The checksum decides.
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return
        part.unlink()
        return _fetch(url, part, timeout, most=most)
    with response:
        going_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        length = response.headers.get("Content-Length", "")
        announced = int(length) if re.fullmatch("[0-9]{1,18}", length) else None
        limit = f"a file of at most {most:,} bytes (cohort.download_most_gb)"
        start = have if going_on else 0
        if announced is not None and start + announced > most:
            raise _TooLarge(f"a file of {start + announced:,} bytes", limit)
        free = shutil.disk_usage(part.parent).free + (0 if going_on else have)
        if announced is not None and announced > free:
            raise _TooLarge(f"{announced:,} bytes to fetch", f"no more than the disk has room for, {free:,} bytes")
        got = 0
        with part.open("ab" if going_on else "wb") as out:
            while block := response.read(BLOCK):
                got += len(block)
                if start + got > most:
                    break
                out.write(block)
        if start + got > most:
            part.unlink()
            raise _TooLarge("a file that does not end there", limit)
        # urllib tells a short read only when it reads to the end in one piece.
        if announced is not None and got < announced:
            raise http.client.IncompleteRead(b"", announced - got)
