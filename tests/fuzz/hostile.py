"""A cohort with markup, formulas and control characters in every free text, from raw files to the opened report.

    ./run python tests/fuzz/hostile.py [--folder DIR]

Runs it (a minute or two), opens every page and figure in Chromium and reads every table for spreadsheets. Exit code 1
if a script ran, a request left, a page has an error, a figure is no XML, or a cell would be a formula.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow"), str(ROOT / "tests/support")]

from checkout import copy_checkout, snakemake  # noqa: E402
from chromium import Browser  # noqa: E402
from hostile import make_hostile  # noqa: E402
from lab import make_lab  # noqa: E402

INNER = ("file:", "data:", "about:", "blob:")


def opened(browser: Browser, page: Path) -> list[str]:
    """What a page or a figure does in a browser that it must not."""
    browser.open(page)
    faults = []
    if browser.ask("!!window.__ran || document.title === 'ran'"):
        faults.append("a script of the cohort ran")
    inside = browser.ask("[...document.querySelectorAll('[onerror],[onload],[onmouseover],[href^=javascript]')].length")
    if inside:
        faults.append(f"{inside} elements of the cohort's texts are elements of the page")
    for event in browser.events:
        method, params = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent" and not params["request"]["url"].startswith(INNER):
            faults.append(f"asks for {params['request']['url']}")
        if method == "Runtime.exceptionThrown":
            faults.append(f"an error of its script: {str(params)[:300]}")
        if method == "Log.entryAdded" and params["entry"]["level"] == "error":
            faults.append(f"the browser says: {params['entry']['text'][:300]}")
    return [f"{page.name}: {fault}" for fault in faults]


def formulas(path: Path) -> list[str]:
    """Cells of a CSV that a spreadsheet would run."""
    found = []
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.reader(stream):
            for cell in row:
                if cell.startswith(("=", "+", "-", "@", "\t", "\r")) and not _number(cell):
                    found.append(f"{path.name}: {cell!r}")
    return found


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == "-"
    return True


def look(results: Path, browser: Browser) -> list[str]:
    """Everything below a results folder that a browser or a spreadsheet opens."""
    site = results / "report"
    pages, figures = sorted(site.glob("*.html")), sorted(site.rglob("*.svg"))
    faults = [f for page in [*pages, *figures] for f in opened(browser, page)]
    for figure in figures:
        try:
            ET.parse(figure)
        except ET.ParseError as error:
            faults.append(f"{figure.name}: no XML: {error}")
    tables = [*sorted(site.rglob("*.csv")), *sorted((results / "export").glob("*.csv"))]
    faults += [f for table in tables for f in formulas(table)]
    books = sorted((results / "export").glob("*.xlsx"))
    for book in books:
        with zipfile.ZipFile(book) as archive:
            for name in archive.namelist():
                text = archive.read(name)
                if name.endswith(".xml"):
                    ET.fromstring(text)
                if b"<f>" in text or b"<hyperlink" in text or b"externalLink" in text:
                    faults.append(f"{book.name}: {name} holds a formula or a link")
    print(f"{len(pages)} pages and {len(figures)} figures opened, {len(tables)} CSV and {len(books)} xlsx files read")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="work in this folder and keep it")
    parser.add_argument("--cores", default="1")
    args = parser.parse_args()
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        print("found no Chromium on PATH, expected one", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        base = args.folder or Path(temporary)
        if not (base / "clone/results/lab/report").exists():
            make_hostile(make_lab(base / "lab"))
            copy_checkout(base / "clone")
            run = snakemake(base / "clone", "--cores", args.cores, "--configfile", str(base / "lab/lab.yaml"))
            if run.returncode != 0:
                print(run.stdout[-3000:] + run.stderr[-6000:])
                return 1
        browser = Browser(binary, Path(temporary) / "profile")
        faults = look(base / "clone/results/lab", browser)
        browser.close()
    print("\n".join(faults) or "no script ran, no request left, no cell is a formula")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
