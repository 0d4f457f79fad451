"""Build the offline HTML site of a run."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cimlnk
from cimlnk.common.crosswalk import others
from cimlnk.common.palette import show_beside

from .blocks import Figure, Page, Site, esc
from .many import patients_shown
from .pages import (
    claims,
    cohort,
    donors,
    dynamics,
    everybody,
    identity,
    miflowcyt,
    patients,
    populations,
    preparation,
    provenance,
    quality,
    release,
    state,
    summary,
    truth,
)
from .policy import policy, scripts_of
from .run import Run

GROUPS = {"study": "Study", "data": "Data", "patients": "Patients", "record": "Record"}
EXPLORER = "export/explorer.html"
AS_ABOVE = "Read as the first figure of this kind on the page."
LONG_CAPTION = 60  # letters; a short one may stand twice
log = logging.getLogger(__name__)


def build_pages(run: Run, site: Site) -> list[Page]:
    """All pages in the order of the menu; pages without data are left out."""
    makers: list[Callable[[], Page | None]] = [lambda: cohort.page(run, site), lambda: summary.page(run, site)]
    if run.has("claims/claims.parquet"):
        makers.append(lambda: claims.page(run, site))
    makers += [
        lambda: preparation.page(run, site),
        lambda: quality.page(run, site),
        lambda: populations.page(run, site),
        lambda: dynamics.page(run, site),
        lambda: state.page(run, site),
        lambda: identity.page(run, site),
        lambda: donors.page(run, site),
        lambda: release.page(run, site),
    ]
    makers.append(lambda: everybody.page(run, site))
    for patient in patients_shown(run):
        makers.append(lambda patient=patient: patients.page(run, site, patient))  # type: ignore[misc]
    if run.has("truth/recovery.parquet"):
        makers.append(lambda: truth.page(run, site))
    makers += [lambda: miflowcyt.page(run, site), lambda: provenance.page(run, site)]
    pages = []
    for make in makers:
        page = make()
        if page is None:
            continue
        log.info("page %s: %d sections", page.file, len(page.sections))
        pages.append(page)
    return pages


def write_site(*, root: str | Path, files: Sequence[str | Path], config: Mapping[str, Any], output: str | Path) -> None:
    """Write the site: ``index.html`` and further pages, ``figures/``, ``tables/``.

    Every page is complete without a network: styles and the one script are inside it, figures and tables are files
    beside it.

    Parameters
    ----------
    root
        ``results/<cohort id>``.
    files
        The results the report may use.
    config
        The resolved config.
    output
        Folder of the site; emptied first.
    """
    output = Path(output)
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    scheme = (config.get("report") or {}).get("names_of")
    show_beside(others(scheme, matches=["exact", "close"]) if scheme else {})
    run = Run(root, files, config)
    site = Site(output, str(config["cohort"].get("title") or config["cohort"]["id"]))
    explorer = []
    if run.has(EXPLORER):
        site.copy(run.files[EXPLORER], "explorer.html")
        explorer = [Page("explorer.html", "Explorer: look at the cells", "", group="data", menu="Explorer")]
    render(site, build_pages(run, site), explorer)


def say_once(page: Page) -> None:
    """A caption that says again how a figure is read points to the first that does.

    Its title stays, or its first sentence where it has none.
    """
    seen: set[str] = set()
    for section in page.sections:
        for k, block in enumerate(section.blocks):
            if not isinstance(block, Figure):
                continue
            title, bold, words = block.caption.rpartition("</b> ")
            if words in seen and len(words) > LONG_CAPTION:
                what = f"{title}{bold}" if bold else f"{words.partition('. ')[0].rstrip('.')}. "
                section.blocks[k] = replace(block, caption=f"{what}{AS_ABOVE}")
            seen.add(words)


def render(site: Site, pages: Sequence[Page], made: Sequence[Page] = ()) -> None:
    """Write the HTML of `pages` below the site's folder, each with the menu of all and of those `made` elsewhere."""
    from jinja2 import Environment, FileSystemLoader

    menu = [(title, [p for p in [*pages, *made] if p.group == group]) for group, title in GROUPS.items()]
    menu = [(title, members) for title, members in menu if members]
    templates = Path(__file__).parent / "templates"
    environment = Environment(loader=FileSystemLoader(templates), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.get_template("page.html")
    footer = f"cimlnk {esc(cimlnk.__version__)}."
    if any(page.file == provenance.FILE for page in pages):
        footer += " Every number here can be traced: see “How it was made”."
    rules = policy(*scripts_of((templates / "page.html").read_text(encoding="utf-8")))
    for page in pages:
        say_once(page)
        text = template.render(page=page, menu=menu, site_title=site.title, footer=footer, policy=rules)
        (site.folder / page.file).write_text(text, encoding="utf-8")
