"""Sphinx: the pages of the repository as they stand, with the docstrings of the public sub-packages."""

import os
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
myst_enable_extensions = ["dollarmath"]
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
