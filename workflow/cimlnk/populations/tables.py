"""Tables this stage writes."""

from __future__ import annotations

from cimlnk.common.tables import Schema

ANNOTATION = Schema(
    "annotation",
    {
        "cluster": ("int32", "cluster of the chosen partition"),
        "n_cells": ("int", "cells in it"),
        "population": ("str", "named subset by its median, or unassigned"),
        "share": ("float", "share of its cells that bear this name; of proteins a cluster can straddle a threshold"),
        "score": (
            "float",
            "evidence that the requirements are met, and agreement of the further markers, 0 to 1; "
            "NaN of a general name that is given because no more specific one fits",
        ),
        "runner_up": ("str?", "second best definition that is met too; of an unassigned cluster the nearest one"),
        "runner_up_score": ("float", "its score"),
        "margin": ("float", "likelihood minus the runner-up's over their sum, 0 to 1; NaN without a runner-up"),
        "support": ("float", "bootstrap Jaccard of the stable cluster this one is a part of, 0 to 1"),
        "reason": ("str?", "why a cluster is unassigned, or which markers would have said more"),
    },
)
POPULATIONS = Schema(
    "populations",
    {
        "cell": ("str", "cell id"),
        "sample": ("str", "sample id"),
        "cluster": ("int32", "cluster of the chosen partition"),
        "population": ("str", "named subset"),
        "confidence": ("float32", "share of the nearest neighbours with the same name, times the name's certainty"),
    },
)
PROFILES = Schema(
    "profiles",
    {
        "level": ("str", "cluster or population"),
        "group": ("str", "which one"),
        "feature": ("str", "marker or gene"),
        "n_cells": ("int", "cells"),
        "median": ("float", "median on the analysis scale"),
        "mean": ("float", "mean on the analysis scale"),
        "fraction_positive": ("float", "share of cells above the feature's threshold in their batch; NaN without one"),
    },
)
STATE = Schema(
    "state",
    {
        "sample": ("str", "sample id"),
        "population": ("str", "named subset, or NK for all"),
        "feature": ("str", "marker or gene"),
        "n_cells": ("int", "cells"),
        "median": ("float", "median on the analysis scale"),
        "mean": ("float", "mean on the analysis scale"),
        "fraction_positive": ("float", "share of cells above the feature's threshold in their batch; NaN without one"),
    },
)
OVERRIDDEN = Schema(
    "overridden",
    {
        "row": ("int", "line of the override sheet"),
        "what": ("str", "cluster, population or cells"),
        "key": ("str", "which one"),
        "action": ("str", "rename, merge, split or exclude"),
        "marker": ("str?", "marker of a split"),
        "value": ("float", "threshold of a split; NaN for others"),
        "n_cells": ("int", "cells it changed"),
        "would_be": ("str", "their names without it, with the number of cells of each"),
        "population": ("str", "their name with it"),
        "why": ("str?", "reason given in the sheet"),
    },
)
THRESHOLDS = Schema(
    "thresholds",
    {
        "feature": ("str", "marker or gene"),
        "batch": ("str", "batch it holds for; empty for all"),
        "threshold": ("float", "positive above this value on the analysis scale; NaN if nothing tells"),
        "low": ("float", "lower end of where it may lie"),
        "high": ("float", "upper end"),
        "method": ("str", "valley, reference, panel, absolute, none, or counted (any molecule)"),
        "reason": ("str?", "what it rests on, or why there is none"),
    },
)
