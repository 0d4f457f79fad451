"""The summary for clinicians: ten questions and their answers; the same text as the two printed pages."""

from __future__ import annotations

from cimlnk.report.blocks import Page, Section, Site, Text, esc
from cimlnk.report.clinicians.answers import answers
from cimlnk.report.reading import infused
from cimlnk.report.run import Run

PRINTED = {"summary.pdf": "two pages", "patients.pdf": "one page per patient"}


def page(run: Run, site: Site) -> Page:
    """Build the page; the PDFs are linked where the run made them."""
    result = Page("summary.html", "Summary for clinicians", "Ten questions, answered from this run.")
    links = []
    for name, what in PRINTED.items():
        if run.has(f"export/{name}"):
            site.copy(run.files[f"export/{name}"], name)
            links.append(f'<a href="{name}">{what} (PDF)</a>')
    lead = "Nobody of this cohort was given NK cells, so that most of the ten questions have no answer here."
    blocks = [] if infused(run) else [Text(lead, "note")]
    blocks += [Text(f"To print: {', '.join(links)}.")] if links else []
    blocks += [
        Text(f"<h3>{number}. {esc(a.question)}</h3><p>{esc(a.text)}</p>", "html")
        for number, a in enumerate(answers(run), 1)
    ]
    result.sections.append(Section("answers", "Questions and answers", list(blocks)))
    return result
