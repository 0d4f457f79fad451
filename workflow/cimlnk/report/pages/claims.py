"""The study's claims, each with its verdict and the way to it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from cimlnk.report.blocks import Page, Section, Site, Text, prose
from cimlnk.report.run import Run
from cimlnk.report.style import plain

KINDS = {
    "finding": "Findings: what the patients' cells did",
    "design": "Design: what was planned and given, read off the sheets",
    "self-check": "Self-checks of the analysis",
}


COLUMNS = {"claim": "id", "title": "claim", "verdict": "verdict", "result": "result", "why": "reasons"}
CLOSE = "\N{NO-BREAK SPACE}"  # a number and its name stay on one line


def readable(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with what belongs together in one column, line by line: in columns of their own, numbers, bounds and
    sources are wider than a page."""
    out = rows[["claim", "verdict", "why"]].copy()
    out["title"] = [_asked(row) for row in rows.to_dict("records")]
    out["result"] = [_result(row) for row in rows.to_dict("records")]
    return out


def _asked(row: Mapping[Hashable, Any]) -> str:
    """A claim, and below it its bound, whose files it is read from, and its source with the tier.

    Examples
    --------
    >>> _asked({"title": "NK cells expand", "bound": "ten-fold", "arm": None, "modality": "cytof", "source": "JCI 2022",
    ...         "tier": "A"}).splitlines()
    ['NK cells expand', 'Bound: ten-fold', 'Read from: mass cytometry', 'Source: JCI 2022 (A)']
    """
    of = ", ".join(row[k] for k in ("arm", "modality") if pd.notna(row[k]) and row[k])
    source = row["source"] if pd.notna(row["source"]) else ""
    lines = {"Bound": row["bound"], "Read from": prose(of), "Source": f"{source} ({row['tier']})".strip()}
    return "\n".join([str(row["title"]), *(f"{k}: {v}" for k, v in lines.items() if pd.notna(v) and v)])


def _result(row: Mapping[Hashable, Any]) -> str:
    """The value with its interval, and below it n, p with the smallest attainable p, and chance, as far as known.

    Examples
    --------
    >>> found = {"value": 25.0, "low": 11.0, "high": 37.7, "n": 6, "p": 0.031, "p_attainable": 0.031, "chance": 0.004}
    >>> _result(found).replace(CLOSE, " ").splitlines()
    ['25 (11 to 37.7)', 'n 6', 'p 0.031 (least p 0.031)', 'chance 0.004']
    """
    words = {k: plain(row[k]) for k in ("value", "low", "high", "n", "p", "p_attainable", "chance")}
    interval = f"({words['low']} to {words['high']})" if words["low"] and words["high"] else ""
    least = f"(least p {words['p_attainable']})" if words["p_attainable"] else ""
    lines = [[words["value"], interval], *([f"{k} {words[k]}" if words[k] else ""] for k in ("n", "p", "chance"))]
    lines[2].append(least)
    joined = (" ".join(part.replace(" ", CLOSE) for part in line if part) for line in lines)
    return "\n".join(line for line in joined if line)


def tally(table: pd.DataFrame) -> str:
    """Findings supported, in words: sheets and self-checks are no findings and are not counted."""
    findings = table[table["kind"] == "finding"]
    verdicts = findings["verdict"].value_counts()
    return (
        f"{verdicts.get('supported', 0)} of {len(findings)} ({verdicts.get('not supported', 0)} not supported, "
        f"{verdicts.get('not evaluable', 0)} not evaluable)"
    )


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    table = run.table("claims/claims.parquet")
    result = Page(
        "claims.html",
        "Claims",
        "Statements of the study and its neighbours, put to these data. “Not evaluable” means that the cohort lacks "
        "what the claim needs, not that the claim is wrong."
        + (f" Findings supported: {tally(table)}." if (table["kind"] == "finding").any() else ""),
    )
    if set(table["tier"]) == {"D"}:
        result.sections.append(
            Section(
                "asked",
                "What was asked",
                [
                    Text(
                        "Nobody of this cohort was infused, so that the study's claims about infused "
                        "patients were not asked."
                    )
                ],
            )
        )
    for kind, title in KINDS.items():
        rows = table[table["kind"] == kind]
        if len(rows):
            site.table_file(f"claims_{kind}", rows)  # as they are; the page draws numbers that belong together as one
            block = site.table(f"claims_{kind}", readable(rows), "", columns=COLUMNS)
            result.sections.append(Section(f"kind-{kind}", title, [block]))
    if run.config.get("simulate") and result.sections:
        words = (
            "This cohort is <b>synthetic</b>: the effects were planted, and a verdict says whether the pipeline finds "
            "what was planted. It says nothing about patients."
        )
        result.sections[0].blocks.insert(0, Text(words, "note"))
    words = (
        "A verdict rests on one number, the first under <b>result</b>, with its interval, and one bound; n are the "
        "patients. <b>Chance</b> is the share of cohorts like this one, but without the effect, in which the finding "
        "would be supported: the same patients, days and gaps, and noise as large as here. Above 5 % a finding is "
        "never called supported. <b>Least p</b> is the smallest p that these patients can give; where it lies above "
        "the bound, the finding is not evaluable rather than not supported. Tier A: claim and number stand in a "
        "source; B: bound ours; C: general knowledge, for synthetic cohorts; D: arithmetic. Bounds can be changed per "
        "cohort in the config (claims.bounds)."
    )
    result.sections.append(Section("reading", "How to read this", [Text(words, "html")]))
    return result
