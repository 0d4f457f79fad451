"""The summary for clinicians: ten questions and their answers; the same text as the two printed pages."""

from __future__ import annotations

from cimlnk.report.blocks import Page, Section, Site, Text, esc
from cimlnk.report.clinicians.answers import answers
from cimlnk.report.clinicians.without_infusion import WHY_SHORT
from cimlnk.report.reading import infused
from cimlnk.report.run import Run


def page(run: Run, site: Site) -> Page:
    """Build the page; the PDFs are linked where the run made them."""
    told = answers(run)
    lead = f"{'Ten' if infused(run) else 'Five'} questions, answered from this run."
    result = Page("summary.html", "Summary for clinicians", lead)
    links = []
    pages = "two pages" if infused(run) else "one page"
    for name, what in (("summary.pdf", pages), ("patients.pdf", "one page per patient")):
        if run.has(f"export/{name}"):
            site.copy(run.files[f"export/{name}"], name)
            links.append(f'<a href="{name}">{what} (PDF)</a>')
    blocks = [] if infused(run) else [Text(WHY_SHORT, "note")]
    blocks += [Text(f"To print: {', '.join(links)}.")] if links else []
    blocks += [
        Text(f"<h3>{number}. {esc(a.question)}</h3><p>{esc(a.text)}</p>", "html") for number, a in enumerate(told, 1)
    ]
    result.sections.append(Section("answers", "Questions and answers", list(blocks)))
    return result
