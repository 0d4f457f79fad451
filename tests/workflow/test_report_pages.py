"""Every page of the report opens in a browser: no console errors, no network, every figure and table there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cimlnk.common.tables import read_table
from cimlnk.report.blocks import Page, Section, Site, Table, Text
from cimlnk.report.site import render

pytestmark = [pytest.mark.slow, pytest.mark.chromium]
SITE = Path("results/tiny/report")


def test_every_page_opens_clean_and_complete(tiny_run, browser):
    pages = sorted((tiny_run / SITE).glob("*.html"))
    names = {p.name for p in pages}
    assert {"index.html", "claims.html", "quality.html", "populations.html", "dynamics.html"} <= names
    assert sum(n.startswith("patient-") for n in names) >= 5
    figures = 0
    for page in pages:
        browser.open(page)
        # a page's script runs before the load event; asking once more flushes late messages
        broken = browser.ask("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
        assert broken == [], page.name
        figures += browser.ask("document.images.length")
        assert browser.ask("[...document.querySelectorAll('table')].every(t => t.tBodies[0].rows.length > 0)"), (
            page.name
        )
        assert browser.ask("document.querySelectorAll('h1').length") == 1
        links = browser.ask("[...document.links].map(a => a.href)")
        for link in links:
            if link.startswith("file://") and "#" not in link:
                assert Path(link.removeprefix("file://")).is_file(), (page.name, link)
        for event in browser.events:
            method, params = event.get("method"), event.get("params", {})
            assert method != "Runtime.exceptionThrown", (page.name, params)
            assert not (method == "Log.entryAdded" and params["entry"]["level"] == "error"), (page.name, params)
            assert not (method == "Runtime.consoleAPICalled" and params["type"] == "error"), (page.name, params)
            if method == "Network.requestWillBeSent":
                assert params["request"]["url"].startswith(("file:", "data:", "about:")), (page.name, params["request"])
    assert figures >= 15


def test_fitted_curves_are_drawn_and_preparation_that_is_off_is_not(tiny_run, browser):
    browser.open(tiny_run / SITE / "dynamics.html")
    ids = browser.ask("[...document.querySelectorAll('#kinetics figure')].map(f => f.id)")
    assert ids == ["figure-fitted_nk"], "the tiny cohort's subsets have three days, too few for a curve"
    browser.open(tiny_run / SITE / "patient-P1.html")
    captions = browser.ask(
        "['cytof', 'rna'].map(m => document.querySelector('#figure-patient_P1_absolute_' + m).textContent)"
    )
    assert ["credible interval" in c for c in captions] == [True, False], "how to read it is said once a page"
    assert not (tiny_run / SITE / "preparation.html").exists()
    links = browser.ask("[...document.querySelectorAll('nav a')].map(a => a.textContent)")
    assert "Quality" in links and "Preparation" not in links


def test_figures_tell_their_values_by_pointer_and_by_keyboard(tiny_run, browser):
    browser.open(tiny_run / SITE / "patient-P1.html")
    folds = read_table(tiny_run / SITE.parent / "dynamics/abundance.parquet")
    mine = folds[(folds["patient"] == "P1") & (folds["population"] == "NK") & (folds["modality"] == "cytof")]
    first = mine[mine["tissue_or_product"] == "blood"].sort_values("day").iloc[0]
    script = (
        "(() => { const p = document.querySelector('#figure-patient_P1_nk .plot'); const tip = p.querySelector('.tip');"
        "const before = tip.hidden; p.focus(); p.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));"
        "const key = tip.textContent; p.dispatchEvent(new Event('pointerleave'));"
        "const s = JSON.parse(p.querySelector('script').textContent).sort((a, b) => a[0] - b[0])[0];"
        "const box = p.getBoundingClientRect(); p.dispatchEvent(new PointerEvent('pointermove', {clientX: box.left + "
        "s[0] / 1000 * box.width + 3, clientY: box.top + s[1] / 1000 * box.height - 3}));"
        "return [before, key, tip.textContent, tip.hidden]; })()"
    )
    before, by_key, by_pointer, hidden = browser.ask(script)
    assert before and not hidden and by_key == by_pointer
    assert by_key.startswith(f"P1, day {first['day']}: {first['cells_per_ul']:.3g}/µL")


def test_heading_click_sorts_numbers_as_numbers(tiny_run, browser):
    browser.open(tiny_run / SITE / "dynamics.html")
    script = (
        "(() => { const t = document.querySelector('#table-kinetics'); const c = [...t.tHead.rows[0].cells]"
        ".findIndex(h => h.textContent == 'peak fold'); t.tHead.rows[0].cells[c].click();"
        " return [...t.tBodies[0].rows].map(r => r.cells[c].textContent.replace(/,/g, '')).filter(x => x).map(Number);"
        " })()"
    )
    values = browser.ask(script)
    assert len(values) > 3 and values == sorted(values)


def test_clinicians_find_the_runs_numbers_in_the_summary_alone(tiny_run, browser):
    browser.open(tiny_run / SITE / "summary.html")
    text = browser.ask("document.querySelector('main').textContent")
    results = tiny_run / SITE.parent
    kinetics = read_table(results / "dynamics/kinetics.parquet")
    mine = kinetics[(kinetics["population"] == "NK") & (kinetics["arm"] == "CIML") & (kinetics["modality"] == "cytof")]
    assert f"In {(mine['peak_fold'] >= 10).sum()} of {len(mine)} CIML patients" in text
    assert f"measured on day {mine['peak_day'].median():g} (median" in text
    most = mine.loc[mine["peak_fold"].idxmax()]
    assert f"to {most['peak_fold']:.0f}-fold ({most['patient']})" in text
    whole = mine[mine["censored_day"].isna()]  # after a stem-cell boost a count is not the infusion's alone
    assert 0 < len(whole) < len(mine) and "had a stem-cell boost on day" in text
    assert f"{(whole['last_fold'] > 2).sum()} of {len(whole)} CIML patients were still above 2-fold" in text
    assert f"and above 10 in {(mine['peak_fold_low'] >= 10).sum()} of {len(mine)}" in text
    missing = sum(read_table(results / f"{m}/summary.parquet")["left_out"].sum() for m in ("cytof", "rna"))
    assert (f"{missing} of " if missing else "None of the ") in text and text.count("?") >= 10
    for name, pages in (("summary.pdf", 2), ("patients.pdf", 5)):
        pdf = (tiny_run / SITE / name).read_bytes()
        assert pdf == (results / "export" / name).read_bytes() and pdf.count(b"/Type /Page ") == pages


def test_site_is_small_enough_to_send(tiny_run):
    size = sum(p.stat().st_size for p in (tiny_run / SITE).rglob("*") if p.is_file())
    assert size < 30e6


def test_the_menu_is_one_line_on_a_narrow_screen_until_it_is_opened(tmp_path, browser):
    pages = [Page(f"{k}.html", f"Page {k}", "") for k in range(30)]
    render(Site(tmp_path, "title"), pages)
    look = "[document.querySelector('nav').offsetHeight, document.querySelectorAll('nav a')[9].checkVisibility()]"
    size = {"height": 900, "deviceScaleFactor": 1, "mobile": False}
    try:
        browser.call("Emulation.setDeviceMetricsOverride", width=800, **size)
        browser.open(tmp_path / "0.html")
        height, seen = browser.ask(look)
        assert height < 60 and not seen
        browser.ask("document.querySelector('nav summary').click()")
        height, seen = browser.ask(look)
        assert height > 200 and seen
        browser.call("Emulation.setDeviceMetricsOverride", width=1300, **size)
        browser.open(tmp_path / "0.html")
        assert browser.ask(look)[1], "beside the page it is whole"
        assert browser.ask("document.querySelector('nav summary').offsetHeight") == 0
    finally:
        browser.call("Emulation.clearDeviceMetricsOverride")


def test_a_page_runs_its_own_script_only(tmp_path, browser):
    """The second wall: even markup that was never escaped runs nothing and asks for nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host = f"http://127.0.0.1:{listening.getsockname()[1]}"
        scripts = f"<script>window.ran=1;fetch('{host}/f')</script>"
        evil = f"<img src='{host}/i' onerror='window.ran=1'>{scripts}"
        site, page = Site(tmp_path, "title"), Page("index.html", "title", evil)
        rows = [["10"], ["9"], ["100"]]
        page.sections.append(Section("a", "a", [Text(evil, "html"), Table("t", ["n"], rows, "", "tables/t.csv")]))
        render(site, [page])
        browser.open(tmp_path / "index.html")
        assert browser.ask("[document.images.length, window.ran]") == [2, None]
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody called
            listening.accept()
    script = "(() => { document.querySelector('th').click(); return document.querySelector('td').textContent })()"
    assert browser.ask(script) == "9", "the page's own script runs"
