"""How this report was made: parameters, versions, input hashes."""

from __future__ import annotations

import pandas as pd
import yaml

from cimlnk.common.provenance import placeless
from cimlnk.report.blocks import MAX_CSV_ROWS, Page, Section, Site, Text, esc
from cimlnk.report.methods import paragraphs
from cimlnk.report.run import Run

FILE = "provenance.html"


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    result = Page(FILE, "How it was made", "Enough to repeat this run to the byte.", group="record")
    lead = "For a manuscript: what was done, with the numbers of this run. Read it before you use it."
    text = "".join(f"<p>{esc(p)}</p>" for p in paragraphs(run))
    result.sections.append(Section("methods", "Methods in words", [Text(lead, "note"), Text(text, "html")]))
    versions: dict[str, str] = {}
    inputs: list[dict[str, str]] = []
    for name in sorted(run.files):
        if name.endswith(".parquet"):
            record = run.provenance(name)
            versions.update(record.get("versions", {}))
            for file, digest in record.get("inputs", {}).items():
                inputs.append({"result": name, "rule": record.get("rule", ""), "input": file, "sha256": digest})
    config = yaml.safe_dump(placeless(run.config), sort_keys=True, allow_unicode=True)
    table = pd.DataFrame({"package": list(versions), "version": list(versions.values())})
    result.sections.append(
        Section("versions", "Versions", [site.table("versions", table, "Libraries that can change a result.")])
    )
    table = pd.DataFrame(inputs, columns=["result", "rule", "input", "sha256"])
    site.table_file("inputs", table, MAX_CSV_ROWS)  # the file has the whole digests
    shown = table.assign(sha256=table["sha256"].str[:16])
    caption = "What each table was made from; the file has all 64 digits of the sha256."
    columns = {"result": "result", "rule": "rule", "input": "input", "sha256": "sha256, first 16 digits"}
    result.sections.append(Section("inputs", "Inputs", [site.table("inputs", shown, caption, columns=columns)]))
    if site.cut:
        table = pd.DataFrame([(file, *rows) for file, rows in sorted(site.cut.items())], columns=["file", "rows", "of"])
        caption = "Files of this site that hold the first rows only. The results folder holds every table whole."
        result.sections.append(Section("cut", "Files that were cut", [site.table("cut_files", table, caption)]))
    body = (
        "<p>Every key of the config with the value this run had, defaults included.</p><details><summary>Show</summary>"
        f"<pre style='overflow-x:auto'>{esc(config)}</pre></details>"
    )
    result.sections.append(Section("config", "Resolved config", [Text(body, "html")]))
    return result
