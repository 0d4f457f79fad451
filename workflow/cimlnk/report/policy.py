"""What a page of the report may do in a browser: run its own script, show pictures that lie beside it, nothing else."""

from __future__ import annotations

import base64
import hashlib
import re

INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def policy(*scripts: str) -> str:
    """A content security policy under which `scripts` run and no others, and no request leaves the page's folder.

    Texts of a cohort are escaped where they are written; should one ever not be, it still runs nothing and asks for
    nothing.

    Parameters
    ----------
    scripts
        The exact text of each script element of the template, before anything of a cohort is put in.

    Returns
    -------
    str
        For ``<meta http-equiv="Content-Security-Policy" content="…">``. Pictures may come from the page's folder
        (``file:`` where it is opened from a disk) and out of the page itself.

    Examples
    --------
    >>> policy("go()").split("; ")[:2]
    ["default-src 'none'", "script-src 'sha256-5KYv+PUboo5h+0+YAtGRPbwv5d/QxzHslP4YGnUaxRw='"]
    """
    digests = (base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts)
    allowed = " ".join(f"'sha256-{d}'" for d in digests) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src 'self' file: data:; "
        "base-uri 'none'; form-action 'none'"
    )


def scripts_of(template: str) -> list[str]:
    """The scripts inside a template's text; its data elements (``type="application/json"``) are none."""
    return INLINE.findall(template)
