"""Which sample of a FlowJo workspace a file is, and a workspace of that one sample.

FlowJo names samples after $FIL, which exports of one instrument often share (one name for every donor), and FlowKit
finds samples by that name: of several with one name it would gate a file by the gates of another.
"""

from __future__ import annotations

import html
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from cimlnk.common.errors import Plain, UserError
from cimlnk.cytof.fcs.header import FcsHeader

SAMPLE = re.compile(r"<Sample>.*?</Sample>", re.S)
NODE = re.compile(r"<SampleNode\b[^>]*>")


class Entry(NamedTuple):
    """A sample of a workspace: its file, its name there, $FIL, events, id, and its place in the text."""

    file: str
    name: str
    fil: str
    events: int
    id: str
    span: tuple[int, int]


def entries(text: str) -> list[Entry]:
    """The samples of a workspace's text."""
    found = []
    for hit in SAMPLE.finditer(text):
        body = hit[0]
        node = NODE.search(body)
        if node is None:
            continue
        uri = _attribute(re.search(r"<DataSet\b[^>]*>", body), "uri")
        fil = re.search(r'<Keyword\s+name="\$FIL"\s+value="([^"]*)"', body)
        count = _attribute(node, "count")
        events = int(count) if count.isdigit() else -1
        file = PurePosixPath(unquote(urlsplit(uri).path)).name
        name, own = _attribute(node, "name"), _attribute(node, "sampleID")
        found.append(Entry(file, name, html.unescape(fil[1]) if fil else "", events, own, hit.span()))
    return found


def _attribute(element: re.Match[str] | None, name: str) -> str:
    value = re.search(rf'\b{name}="([^"]*)"', element[0]) if element else None
    return html.unescape(value[1]) if value else ""


def find_sample(path: Path, samples: list[Entry], header: FcsHeader) -> Entry:
    """The sample of a workspace that a file is: by the name of the file, then by its name there, then by $FIL.

    Of several that fit alike the one with the file's number of events is taken.

    Raises
    ------
    UserError
        If none fits, or several do.
    """
    own, fil = header.path.name, header.text.get("$FIL", "").strip()
    ways = [[e for e in samples if e.file == own], [e for e in samples if e.name == own]]
    if fil:
        ways.append([e for e in samples if fil in (e.fil, e.name)])
    for fit in ways:
        if len(fit) > 1:
            fit = [e for e in fit if e.events == header.n_events] or fit
        if len(fit) == 1:
            return fit[0]
        if fit:
            listed = ", ".join(dict.fromkeys(f"{e.name} of {e.file}" for e in fit))
            found = Plain(f"{len(fit)} samples that may be {own} ({listed})")
            raise UserError(path, "samples of the workspace", found, "one; rename the file as it was in FlowJo")
    names = list(dict.fromkeys(n for e in samples for n in (e.name, e.file) if n))
    expected = f"a sample of it ({', '.join(names)})"
    raise UserError(path, "samples of the workspace", own, expected, names)


def single_sample(path: Path, header: FcsHeader, folder: Path) -> Path:
    """A copy of a workspace with one sample, named after the file, in `folder`.

    Raises
    ------
    UserError
        See :func:`find_sample`; or if the file is no workspace of FlowJo 10.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    samples = entries(text)
    if not samples:
        raise UserError(path, "samples of the workspace", Plain("none"), "a workspace of FlowJo 10 (.wsp)")
    chosen = find_sample(path, samples, header)
    for entry in reversed(samples):
        begin, end = entry.span
        if entry is chosen:
            body = text[begin:end]
            node = NODE.search(body)
            assert node is not None
            named = re.sub(r'\bname="[^"]*"', lambda _: f'name="{html.escape(header.path.name)}"', node[0], count=1)
            body = body.replace(node[0], named, 1)
            text = text[:begin] + body + text[end:]
        else:
            text = text[:begin] + text[end:]
    for entry in samples:  # these stand before the samples: taken out last, so that no place moves before it is used
        if entry is not chosen:
            text = re.sub(rf'<SampleRef\s+sampleID="{re.escape(entry.id)}"\s*/>', "", text)
    copy = folder / "one.wsp"
    copy.write_text(text, encoding="utf-8")
    return copy
