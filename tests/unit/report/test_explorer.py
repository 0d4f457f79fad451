"""The explorer: what is packed comes out again, and a browser lassoes, colours, slides through time and saves."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
import shutil
import time

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from chromium import Browser
from cimlnk.common.tables import Schema, write_table
from cimlnk.report.explorer.build import LEVELS, pick_rows, shares, write_explorer
from firefox import Firefox

LOOSE = Schema("LOOSE", {}, extra=True)
EVIL = "</script><script>document.title='broken'</script>"


def test_small_modalities_stay_whole_and_samples_keep_their_share():
    assert shares([1000, 50], 200) == [150, 50] and shares([1000, 1000], 200) == [100, 100] and shares([5], 10) == [5]
    rows = pick_rows(1000, 100)
    assert len(rows) == 100 and len(set(rows)) == 100 and np.histogram(rows, 10)[0].tolist() == [10] * 10


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Two islands: adaptive at the left, CD56bright (bright in CD56) at the right; days -7 and 7."""
    root = tmp_path_factory.mktemp("explorer")
    rng = np.random.default_rng(0)
    tables, files = [], []
    for sample, left in (("S1", 60), ("S2", 20)):
        n = 100
        right = np.arange(n) >= left
        x = np.column_stack([np.where(right, 4.0, 1.0), rng.random(n)]).astype("f4")
        ids = [f"{sample}:{i * 3}" for i in range(n)]
        ad.AnnData(x, obs=pd.DataFrame(index=ids), var=pd.DataFrame(index=["CD56", "CD16"])).write_h5ad(
            root / f"{sample}.h5ad"
        )
        files.append(root / f"{sample}.h5ad")
        tables.append(
            pd.DataFrame(
                {
                    "cell": ids, "sample": sample, "cluster": right.astype("i4"),
                    "population": np.where(right, "CD56bright", "adaptive"), "confidence": np.float32(0.5),
                    "umap1": np.where(right, 10.0, 0.0) + rng.random(n), "umap2": rng.random(n) * 11,
                }
            )
        )  # fmt: skip
    cells = pd.concat(tables, ignore_index=True)
    write_table(cells[["cell", "sample", "cluster", "population", "confidence"]], root / "p.parquet", LOOSE)
    write_table(cells[["cell", "umap1", "umap2"]], root / "u.parquet", LOOSE)
    profiles = pd.DataFrame(
        {
            "level": "population",
            "group": ["a", "b"] * 2,
            "feature": ["CD56", "CD56", "CD16", "CD16"],
            "mean": [1, 4, 0, 0],
        }
    )
    write_table(profiles, root / "profiles.parquet", LOOSE)
    sheet = pd.DataFrame(
        {
            "sample": ["S1", "S2"], "patient": [EVIL, "P2"], "day": [-7, 7], "timepoint": ["pre", "D7"], "arm": "CIML",
            "tissue_or_product": "blood", "modality": "cytof", "batch": "b",
        }
    )  # fmt: skip
    write_table(sheet, root / "s.parquet", LOOSE)
    counts = pd.DataFrame({"sample": ["S1", "S2"], "population": "NK", "nk_per_ul": [10.0, np.nan]})
    write_table(counts, root / "a.parquet", LOOSE)
    own = {
        "files": files,
        "cells": None,
        "populations": root / "p.parquet",
        "umap": root / "u.parquet",
        "profiles": root / "profiles.parquet",
    }
    for name in ("one.html", "two.html"):
        write_explorer(
            modalities={"cytof": own},
            samples=root / "s.parquet",
            abundance=root / "a.parquet",
            title=EVIL,
            output=root / name,
        )
    assert (root / "one.html").read_bytes() == (root / "two.html").read_bytes()
    return root / "one.html", cells


def test_what_is_packed_comes_out_again(page):
    path, cells = page
    text = path.read_text()
    assert EVIL not in text and not re.search(r"(src|href)=\"https?:", text)
    meta = json.loads(re.search(r'id="meta">(.*?)</script>', text, re.S)[1])
    raw = gzip.decompress(base64.b64decode(re.search(r'id="data-cytof">(.*?)</script>', text, re.S)[1]))
    info, n = meta["modalities"][0], len(cells)
    assert info["n"] == n and info["samples"][0]["patient"] == EVIL and info["samples"][1]["nk_per_ul"] is None
    x = np.frombuffer(raw, "<u2", n)
    assert np.corrcoef(x, cells["umap1"])[0, 1] > 0.999
    population = np.frombuffer(raw, np.uint8, n, 6 * n)
    assert [info["populations"][k] for k in population] == cells["population"].tolist()
    j = [f["name"] for f in info["features"]].index("CD56")
    bright = np.frombuffer(raw, np.uint8, n, 8 * n + j * n)
    assert set(bright[population == info["populations"].index("CD56bright")]) == {LEVELS - 1} and bright.min() == 0
    assert raw[(8 + 2) * n :].decode().split("\n")[:2] == ["0", "3"]


@pytest.fixture(scope="module", params=["?renderer=webgl2", "?renderer=canvas"])
def opened(request, page, tmp_path_factory):
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no Chromium on PATH: the explorer is not driven")
    browser = Browser(binary, tmp_path_factory.mktemp("profile"))
    downloads = tmp_path_factory.mktemp("downloads")
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
    browser.call("Page.navigate", url=page[0].as_uri() + request.param)
    until = time.monotonic() + 60
    while browser.ask("document.body && document.body.dataset.ready") is None and time.monotonic() < until:
        time.sleep(0.05)
    yield browser, page[1], request.param, downloads
    browser.close()


def lasso(browser, x, y, radius):
    """Drag a circle around a place on the canvas."""
    box = "(({left, top, width, height}) => [left, top, width, height])(over.getBoundingClientRect())"
    left, top, width, height = browser.ask(box)
    for k in range(25):
        angle = 2 * math.pi * k / 24
        kind = "mousePressed" if k == 0 else "mouseMoved"
        at = {"x": left + x * width + radius * math.cos(angle), "y": top + y * height + 8 * radius * math.sin(angle)}
        browser.call("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **at)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", button="left", clickCount=1, **at)


def change(browser, element, value, event="change"):
    browser.ask(
        f"{{ const e = document.getElementById('{element}'); e.value = '{value}'; "
        f"e.dispatchEvent(new Event('{event}')); }}"
    )


@pytest.mark.chromium
def test_a_browser_drives_it(opened):
    browser, cells, asked, downloads = opened
    assert browser.ask("document.body.dataset.renderer") == asked.partition("=")[2]
    assert browser.ask("document.title").startswith("Explorer") and "200 of 200" in browser.ask(
        "document.getElementById('status').textContent"
    )
    unit = browser.ask("explorer.view().unit / explorer.view().w")
    lasso(browser, 0.5 + 0.46 * unit, 0.5, 60)  # the island at the right
    bright = cells[cells["population"] == "CD56bright"]
    assert f"{len(bright)} of 200 cells selected" in browser.ask("document.getElementById('status').textContent")
    assert "100.0 %" in browser.ask("document.querySelector('#composition .row').textContent"), "CD56bright comes first"
    lines = browser.ask("document.getElementById('course').textContent")
    assert "day -7 40.0" in lines and "day 7 80.0" in lines, "percent of each sample's cells"
    assert browser.ask("document.querySelector('#histograms figcaption').textContent") == "CD56", (
        "what differs most first"
    )
    browser.ask("document.getElementById('name').value = '=adaptive'")
    rows = browser.ask("explorer.sheet()").strip().split("\n")
    assert rows[0] == "what\tkey\tmarker\tvalue\taction\twhy" and len(rows) == 1 + len(bright)
    assert {r.split("\t")[1] for r in rows[1:]} == set(bright["cell"])
    assert rows[1].split("\t")[3:5] == ["adaptive", "rename"], "nothing a spreadsheet would compute"
    browser.ask("document.getElementById('export').click()")
    until = time.monotonic() + 20
    while not (saved := downloads / "overrides_cytof.tsv").is_file() and time.monotonic() < until:
        time.sleep(0.05)
    assert saved.read_text().strip().split("\n") == rows
    change(browser, "time", 1, "input")
    assert "80 of 200 cells selected" in browser.ask("document.getElementById('status').textContent")
    assert browser.ask("document.getElementById('time-words').textContent") == "day 7"
    change(browser, "colour", "f:CD56")
    assert browser.ask("document.querySelector('#legend .bar') !== null")
    inked = (
        "(() => { const c = explorer.picture(), p = c.getContext('2d').getImageData(0, 0, c.width - 230, 400).data; "
        "let n = 0; for (let i = 0; i < p.length; i += 4) if (p[i] + p[i + 1] + p[i + 2] < 700) n++; return n; })()"
    )
    assert browser.ask(inked) > 50, "the picture shows the cells"
    browser.ask("document.getElementById('clear').click()")
    assert "100 of 200 cells shown" in browser.ask("document.getElementById('status').textContent")
    for event in browser.events:
        assert event.get("method") != "Runtime.exceptionThrown", event
        if event.get("method") == "Network.requestWillBeSent":
            assert event["params"]["request"]["url"].startswith(("file:", "data:", "about:", "blob:")), event


@pytest.mark.chromium
def test_firefox_drives_it(page, tmp_path):
    binary = shutil.which("firefox-esr") or shutil.which("firefox")
    if binary is None:
        pytest.skip("no Firefox on PATH: the explorer is not driven in it")
    (tmp_path / "downloads").mkdir()
    browser = Firefox(binary, tmp_path / "profile", tmp_path / "downloads")
    try:
        browser.open(page[0])
        status = "document.getElementById('status').textContent"
        until = time.monotonic() + 60
        while not browser.ask("document.body.dataset.ready") and time.monotonic() < until:
            time.sleep(0.05)
        assert "200 of 200" in browser.ask(status)
        left, top, width, height = browser.ask(
            "(({left, top, width, height}) => [left, top, width, height])(over.getBoundingClientRect())"
        )
        x = left + (0.5 + 0.46 * browser.ask("explorer.view().unit / explorer.view().w")) * width
        high, low = top + 2, top + height - 2
        browser.drag([(x - 60, high), (x + 60, high), (x + 60, low), (x - 60, low), (x - 60, high)])
        bright = page[1][page[1]["population"] == "CD56bright"]
        assert f"{len(bright)} of 200 cells selected" in browser.ask(status)
        browser.ask("document.getElementById('export').click()")
        until = time.monotonic() + 20
        saved = tmp_path / "downloads/overrides_cytof.tsv"  # first an empty file, then the whole one in its place
        while not (saved.is_file() and saved.stat().st_size) and time.monotonic() < until:
            time.sleep(0.05)
        assert {r.split("\t")[1] for r in saved.read_text().strip().split("\n")[1:]} == set(bright["cell"])
        for element, value, event in (("time", 1, "input"), ("colour", "f:CD56", "change")):
            place = f"document.getElementById('{element}')"
            browser.ask(f"({place}.value = '{value}', {place}.dispatchEvent(new Event('{event}')))")
        assert "80 of 200 cells selected" in browser.ask(status)
        assert browser.ask("document.querySelector('#legend .bar') !== null")
    finally:
        browser.close()
