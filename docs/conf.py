"""Sphinx: the pages of the repository as they stand, with the docstrings of the public sub-packages."""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow"))
os.environ.setdefault("NUMBA_DISABLE_JIT", "1")  # docstrings are read, nothing is computed

from cimlnk import __version__  # noqa: E402

project = "cimlnk"
author = copyright = "The cimlnk developers"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
# The folder of the sources is the checkout, so that links between its pages are the same here and where it is hosted.
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md", "seeds/*.md", "docs/**"]
exclude_patterns = ["**/.*", "build", "data", "results", "tests", "workflow", "benchmarks"]
myst_heading_anchors = 3
autodoc_typehints = "none"  # the signatures have them
autodoc_member_order = "bysource"
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Writes", "returns_style")]
python_use_unqualified_type_names = True
html_theme = "furo"
html_title = f"cimlnk {release}"
html_show_sourcelink = False
html_copy_source = False
html_last_updated_fmt = None
html_theme_options = {"navigation_with_keys": True}


def link_decisions(_app, page, source):
    """Make the ids in the table of docs/decisions.md links to their entries; in the file they are for searching."""
    if page == "docs/decisions":
        head, _, entries = source[0].partition("\n## ")
        entries = re.sub(r"^## \S+ · (\S+) · ", r"(\1)=\n\n\g<0>", f"## {entries}", flags=re.M)
        ids = set(re.findall(r"^\((\S+)\)=$", entries, re.M))
        lines = head.splitlines()
        for at, line in enumerate(lines):
            row, bar, named = line.removesuffix(" |").rpartition(" | ")
            linked = [f"[{i}](#{i})" if i in ids else i for i in named.split(" · ")]
            lines[at] = f"{row}{bar}{' · '.join(linked)} |" if bar else line
        source[0] = "\n".join([*lines, "", entries])


def setup(app):
    app.connect("source-read", link_decisions)
