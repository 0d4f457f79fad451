"""Identity over time: links between time points, founders of the later subsets, neighbourhoods, repertoires."""

from __future__ import annotations

import pandas as pd

from cimlnk.report.blocks import Figure, Page, Section, Site, Table, Text, esc
from cimlnk.report.figures.change import alluvial, distance_map, neighbourhood_map
from cimlnk.report.many import samples_shown
from cimlnk.report.run import Run

from .cohort import MODALITY
from .state import contrasts_of, primary

FOUNDER = "founder"  # the verdict of ANCESTRY on a share that is shown
NO_MORE = "no more than exchanged time points give"


def page(run: Run, site: Site) -> Page:
    """Build the page."""
    result = Page(
        "identity.html",
        "Identity over time",
        "Which subsets turn into which, where on the map the changes are, and whether a donor stays recognisable.",
        group="data",
    )
    result.sections += [*_links(run, site), *_ancestry(run, site), *_neighbourhoods(run, site), *_repertoire(run, site)]
    if not result.sections:
        result.sections.append(Section("none", "Nothing to follow", [Text(no_identity(run.samples))]))
    return result


def no_identity(samples: pd.DataFrame) -> str:
    """Why there is nothing on this page.

    Examples
    --------
    >>> no_identity(pd.DataFrame({"patient": ["a", "b"], "timepoint": ["pre", "D7"]}))
    'No patient was sampled at two time points.'
    """
    if samples["timepoint"].nunique() < 2:
        return "The cohort has one time point only."
    if (samples.groupby("patient")["timepoint"].nunique() < 2).all():
        return "No patient was sampled at two time points."
    return "There are several time points, but too few cells or clusters in them for anything to be followed."


def _links(run: Run, site: Site) -> list[Section]:
    tracks, links, events = (run.table(f"dynamics/{n}.parquet") for n in ("tracks", "identity", "events"))
    sections = []
    for (modality, arm), mine in tracks.groupby(["modality", "arm"]) if len(tracks) else ():
        own = links[(links["modality"] == modality) & (links["arm"] == arm)]
        if mine["timepoint"].nunique() < 2 or not own["linked"].any():
            continue
        section = Section(
            f"identity-{modality}-{arm}", f"Subsets from time point to time point: {MODALITY[modality]}, {arm}"
        )
        caption = (
            "Each time point was clustered on its own; bands link clusters by transport of cells with growth from the "
            "measured counts. The stronger a band's colour, the more resamples (of patients and cells, each clustered "
            "anew) show the link."
        )
        section.blocks.append(site.figure(f"alluvial_{modality}_{arm}", alluvial(mine, own), caption, table=own))
        found = events[(events["modality"] == modality) & (events["arm"] == arm)] if len(events) else events
        section.blocks += _events(found, f"events_{modality}_{arm}", site)
        sections.append(section)
    return sections


def _events(found: pd.DataFrame, name: str, site: Site) -> list[Text | Figure | Table]:
    """The events that are shown as a table; of the others how many there are and why they are not."""
    if not len(found):
        return [Text("No cluster is born, lost, split or merged from one time point to the next.")]
    shown = found[found["verdict"] == "shown"]
    blocks: list[Text | Figure | Table] = []
    if len(shown):
        columns = {
            "event": "event", "from_timepoint": "from", "to_timepoint": "to", "population": "population",
            "partners": "parts", "n_patients": "patients", "support": "support", "shuffled_time": "in shuffles",
        }  # fmt: skip
        caption = (
            "Events that clustering every time point on its own shows: <i>support</i> is the share of resamples of "
            "patients and cells, each clustered again, with the event; <i>in shuffles</i> the share with such an "
            "event of the shuffles in which cells have exchanged time points, so that nothing happens."
        )
        blocks.append(site.table(name, shown, caption, columns=columns))
    hidden = found.loc[found["verdict"] != "shown", "reason"].value_counts()
    if len(hidden):
        why = "; ".join(f"{n} ({esc(str(reason))})" for reason, n in hidden.items())
        first = "" if len(shown) else "No event is shown: clusters that part or join in the figure may be chance. "
        blocks.append(Text(f"{first}Not shown: {why}. All rows are in <code>dynamics/events.parquet</code>."))
    return blocks


def _ancestry(run: Run, site: Site) -> list[Section]:
    table = run.table("dynamics/ancestry.parquet")
    if not len(table):
        return []
    columns = {
        "modality": "by", "arm": "arm", "founder_timepoint": "from", "founder": "founder", "timepoint": "to",
        "population": "population", "share": "share", "share_low": "low", "share_high": "high",
        "share_shuffled": "shuffled", "growth": "cells a founder cell",
    }  # fmt: skip
    ranked = table.sort_values(["modality", "arm", "day", "population", "share"], ascending=[True] * 4 + [False])
    hidden = ranked.loc[ranked["verdict"] != FOUNDER, "reason"].fillna(NO_MORE).value_counts()
    words = "; ".join(f"{n} ({esc(str(reason))})" for reason, n in hidden.items())
    unseen = f"Not shown: {words}. All rows are in <code>dynamics/ancestry.parquet</code>."
    ranked = ranked[ranked["verdict"] == FOUNDER]
    if not len(ranked):
        return [Section("ancestry", "Founders", [Text(f"No founder of a later subset is shown. {unseen}")])]
    caption = (
        "Of a later subset's cells, the share that descends from each founder by transport, against what exchanged "
        "time points give. Transport follows likeness: a share is a hypothesis about descent, not a lineage."
    )
    blocks: list[Text | Figure | Table] = [site.table("ancestry", ranked, caption, columns=columns)]
    return [Section("ancestry", "Founders", [*blocks, *([Text(unseen)] if len(hidden) else [])])]


def _neighbourhoods(run: Run, site: Site) -> list[Section]:
    table = run.table("dynamics/neighbourhoods.parquet")
    sections = []
    for modality in run.modalities:
        rows = table[table["modality"] == modality] if len(table) else table
        if not len(rows):
            continue
        section = Section(f"neighbourhoods-{modality}", f"Where abundance changes on the map: {MODALITY[modality]}")
        contrasts = contrasts_of(run, rows)[:6]
        if contrasts:
            caption = (
                "Neighbourhoods of the graph, coloured by the log2 change of their share among NK cells. Strong "
                "colour: spatial false discovery rate below 0.1; faint: not shown."
            )
            drawn = neighbourhood_map(run.cells(modality, 8000), rows, contrasts)
            behind = rows.loc[
                rows["contrast"].isin(contrasts),
                ["contrast", "neighbourhood", "population", "umap1", "umap2", "effect", "fdr"],
            ]
            section.blocks.append(site.figure(f"neighbourhoods_{modality}", drawn, caption, table=behind, png=True))
        else:
            reasons = "; ".join(sorted(set(rows["reason"].dropna())))
            section.blocks.append(Text(f"No neighbourhood could be tested: {reasons}", "note"))
        sections.append(section)
    return sections


def _repertoire(run: Run, site: Site) -> list[Section]:
    distances, tests = (
        run.table("dynamics/repertoire_distances.parquet"),
        run.table("dynamics/repertoire_tests.parquet"),
    )
    if not len(distances):
        return []
    section = Section("repertoire", "Does a donor stay recognisable?")
    for what in ("donor_receptors", "receptors"):
        rows = distances[distances["what"] == what]
        if len(rows):
            names, choice = samples_shown(run, [*rows["sample"].unique(), *rows["other"].unique()])
            rows = rows[rows["sample"].isin(names) & rows["other"].isin(names)]
            words = "inherited receptors (KIR, NKG2C, CD57)" if what == "donor_receptors" else "all receptors"
            caption = (
                f"Jensen–Shannon distance between the Boolean phenotypes of every two samples by {words}; white lines "
                f"separate patients. Dark blocks on the diagonal are donors that stay themselves over time.{choice}"
            )
            section.blocks.append(
                site.figure(f"distances_{what}", distance_map(rows, run.samples), caption, table=rows)
            )
    if len(tests):
        columns = {
            "test": "question", "modality": "data", "feature": "by", "contrast": "arm: what", "method": "method",
            "n_patients": "n", "effect": "effect", "effect_unit": "unit", "p": "p", "p_floor": "least p",
            "reason": "remark",
        }  # fmt: skip
        section.blocks.append(
            site.table(
                "repertoire_tests",
                primary(tests),
                "Samples exchanged at random within patients or within arms, time points and batches: see the unit.",
                columns=columns,
            )
        )
    return [section]
