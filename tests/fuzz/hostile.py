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
from collections.abc import Iterator
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


def texts(path: Path) -> Iterator[str]:
    """Every text in a result, whatever its format."""
    import h5py
    import pyarrow.parquet as pq

    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield str(table.schema.metadata)
        for column in table.columns:
            yield from map(str, column.unique().to_pylist()) if "string" in str(column.type) else ()
    elif path.suffix in (".h5ad", ".h5mu"):
        found: list[str] = []

        def take(name: str, item: h5py.Dataset) -> None:
            found.extend([name, str(dict(item.attrs))])
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "OS":
                found.append(str(item[()]))

        with h5py.File(path) as stream:
            stream.visititems(take)
        yield from found
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name).decode("utf-8", "replace") for name in archive.namelist())
    else:
        yield path.read_bytes().decode("utf-8", "replace")


def places(results: Path, base: Path) -> list[str]:
    """Results (logs and times apart) that tell where on the machine the cohort's files lie."""
    files = [p for p in sorted(results.rglob("*")) if p.is_file()]
    files = [p for p in files if p.relative_to(results).parts[0] not in ("logs", "benchmarks")]
    told = [p.relative_to(results) for p in files if any(str(base) in text for text in texts(p))]
    return [f"{p}: tells the place {base}" for p in told]


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
        faults = look(base / "clone/results/lab", browser) + places(base / "clone/results/lab", base)
        browser.close()
    print("\n".join(faults) or "no script ran, no request left, no cell is a formula")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
