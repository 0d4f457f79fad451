"""Links of clusters over time, their events, and where the subsets come from."""

from __future__ import annotations

from cimlnk.common.tables import Schema

IDENTITY = Schema(
    "IDENTITY",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "arm": ("str", "study arm"),
        "from_timepoint": ("str", "earlier time point"),
        "from_cluster": ("str", "cluster of the earlier time point's own clustering"),
        "to_timepoint": ("str", "later time point"),
        "to_cluster": ("str", "cluster of the later time point's own clustering"),
        "from_population": ("str", "most frequent named subset of its cells (joint clustering)"),
        "to_population": ("str", "most frequent named subset of its cells (joint clustering)"),
        "mass": ("float", "share of the later time point's cells transported along the link"),
        "descendant_share": ("float", "of the earlier cluster's descendants, how many go here"),
        "ancestor_share": ("float", "of the later cluster's ancestors, how many come from here"),
        "distance": ("float", "shift of the profile over the distance to the nearest sibling cluster"),
        "linked": ("bool", "taken as a link in the data"),
        "support": ("float", "share of resamples (patients and cells, clustered again) with the link"),
        "support_shuffled": (
            "float",
            "share of shuffles of labels between cells with the link: the negative control",
        ),
    },
)

EVENTS = Schema(
    "EVENTS",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "arm": ("str", "study arm"),
        "event": ("str", "`birth`, `loss`, `split` or `merge`"),
        "from_timepoint": ("str", "earlier time point"),
        "to_timepoint": ("str", "later time point"),
        "cluster": ("str", "the cluster born, lost, split or merged into"),
        "population": ("str", "most frequent named subset of its cells"),
        "partners": ("str?", "children of a split, parents of a merge"),
        "n_patients": ("int", "patients compared: with both time points, in one batch where any are"),
        "support": ("float", "share of resamples (patients and cells, clustered again) with the event"),
        "shuffled_time": ("float", "share of shuffles with any event of the kind, cells having exchanged time points"),
        "verdict": ("str", "`shown` or `not shown`"),
        "reason": ("str?", "why an event is not shown"),
    },
)

TRACKS = Schema(
    "TRACKS",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "arm": ("str", "study arm"),
        "timepoint": ("str", "time point"),
        "day": ("float", "median day of its samples"),
        "cluster": ("str", "cluster of the time point's own clustering"),
        "track": ("str", "identity over time: clusters joined by their strongest mutual links"),
        "population": ("str", "most frequent named subset of its cells (joint clustering)"),
        "purity": ("float", "share of its cells in that subset"),
        "n_cells": ("int", "cells"),
        "fraction": ("float", "mean share of the time point's cells over patients"),
        "cells_per_ul": ("float", "fraction x mean NK/uL of the arm at this time; NaN where there is no count"),
    },
)

ANCESTRY = Schema(
    "ANCESTRY",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "arm": ("str", "study arm"),
        "founder_timepoint": ("str", "the product, or the first time point asked for"),
        "founder": ("str", "named subset there"),
        "timepoint": ("str", "later time point"),
        "day": ("float", "its median day"),
        "population": ("str", "named subset there"),
        "share": ("float", "of that subset's cells, how many descend from the founder by transport"),
        "share_low": ("float", "lower 95 % limit over bootstraps of patients and cells"),
        "share_high": ("float", "upper 95 % limit"),
        "share_shuffled": ("float", "the same with (time point, subset) labels exchanged between cells"),
        "growth": ("float", "descendants over founder's cells, both per microlitre; NaN without counts (product)"),
        "verdict": ("str", "`founder` if the interval lies above the shuffled share, else `not shown`"),
        "reason": ("str?", "why a number is NaN"),
    },
)
