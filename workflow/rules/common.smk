# What all rules share: the resolved config, the sheets, and where things lie. inputs.smk and tables.smk hold the lists of files.
import functools
import hashlib
import logging
import os
import re
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd

# Jobs find the library without installing it: in this process, in scripts, in shell commands and in cluster jobs.
sys.path.insert(0, str(ROOT / "workflow"))
os.environ.update(
    PYTHONPATH=os.pathsep.join(
        [str(ROOT / "workflow"), *filter(None, [os.environ.get("PYTHONPATH")])]
    ),
    MPLBACKEND="Agg",  # a notebook's is of no use to jobs, and matplotlib refuses one that is not installed
)

from cimlnk.cohort.command_line import (
    check_config_files,
    check_place,
    check_results,
    placed,
)
from cimlnk.cohort.config import resolve
from cimlnk.cohort.overrides import names_of, thresholds_of
from cimlnk.cohort.sheets import load_cohort
from cimlnk.common.errors import UserError
from cimlnk.common.imports import code_hash
from cimlnk.common.home import locate
from cimlnk.common import vocabulary
from cimlnk.common.provenance import fingerprint
from cimlnk.cytof.plan import plan_preparation
from cimlnk.donors.sheet import load_donors
from cimlnk.front.early import check_early, check_synthetic
from cimlnk.rna.folder import input_files

CONFIG_FILES = [str(f) for f in workflow.overwrite_configfiles or []]
try:
    check_place(ROOT, Path.cwd())
    # read once more by a reader that refuses what Snakemake passes over: a section twice, of which it keeps the last
    check_config_files(["--configfile", *CONFIG_FILES])
    # that a key has another name now is said once, not by every job
    if not workflow.is_main_process:
        logging.getLogger("cimlnk.cohort.config").setLevel(logging.ERROR)
    CFG = resolve(config, BASE)
    COHORT = load_cohort(CFG, BASE)
    DONORS = load_donors(CFG, BASE, COHORT.samples)
    if workflow.is_main_process:
        written = (
            ["results", "data"]
            if CFG["simulate"] is not None or COHORT.downloads
            else ["results"]
        )
        check_results([f"{top}/{CFG['cohort']['id']}" for top in written], sys.argv[1:])
    check_early(CFG, [*COHORT.samples.columns, *COHORT.patients.columns], BASE)
    if workflow.is_main_process:  # once, not by every job
        check_synthetic(CFG, BASE)
    PREPARATION = plan_preparation(
        COHORT.samples[COHORT.samples["modality"] == "cytof"].set_index(
            "sample", drop=False
        ),
        CFG["cytof"],
    )
except UserError as error:
    # One message per mistake and no traceback: the user needs the sheet's row, not our call stack.
    print(
        f"cimlnk: error in the input, nothing was run:\n{placed(error, CONFIG_FILES)}",
        file=sys.stderr,
    )
    sys.exit(1)

SAMPLES = COHORT.samples.set_index("sample", drop=False)
UNREADABLE = [
    file
    for path in SAMPLES["path"][SAMPLES.index.isin(COHORT.given)]
    for file in input_files(path)
    if os.path.exists(file) and not os.access(file, os.R_OK)
]
SAMPLES_PATTERN = sorted(re.escape(s) for s in SAMPLES.index)
MODALITIES = [m for m in vocabulary.MODALITIES if (SAMPLES["modality"] == m).any()]
CYTOMETRY = [m for m in vocabulary.CYTOMETRY if m in MODALITIES]
# Questions asked of one protein file a sample (receptors, purity of products, claims) are asked of this kind.
PROTEIN = CYTOMETRY[0] if CYTOMETRY else None
ENVIRONMENT = str(ROOT / "environment.yml")


def out(path):
    """A result's place: everything of a cohort lies under results/<cohort id>/."""
    return f"results/{CFG['cohort']['id']}/{path}"


def resource(path):
    """The user's own file, or one shipped with the workflow."""
    return str(locate(path, BASE))


def samples_of(modality):
    return list(SAMPLES.index[SAMPLES["modality"] == modality])


def code(rule):
    """Hash of the library modules behind a rule, found by its script's imports: editing one re-runs the rules that
    use it, and no others. Computed for the rules of this process only, once each."""
    return lambda wildcards: code_hash(ROOT / f"workflow/scripts/{rule}.py")


@functools.cache
def content_of(*files):
    return fingerprint(*files)


def content(wildcards, input):
    """Hash of the user's files among a rule's inputs: one that is replaced by an older one has changed, too, and one
    that was copied elsewhere has not. What a rule makes is followed by its time, as everything in Snakemake.
    """
    made = (f"results/{CFG['cohort']['id']}/", f"data/{CFG['cohort']['id']}/")
    return content_of(
        *(f for f in map(str, input) if not f.startswith(made) and os.path.exists(f))
    )


# Whether somebody was infused: only then may a name claim that a cell comes from a product.
INFUSED = (SAMPLES["tissue_or_product"] == "product").any() or (
    SAMPLES["arm"] == CFG["claims"]["arms"]["treated"]
).any()


def population_settings(wildcards):
    """What naming reads of the config and the sheets."""
    panel = COHORT.flow_panel if wildcards.modality == "flow" else COHORT.panel
    given = panel.dropna(subset=["threshold"]).set_index("marker")["threshold"]
    overrides = names_of(COHORT.overrides, wildcards.modality) + [
        o
        for o in thresholds_of(COHORT.overrides)
        # one whose key is a sample is about that sample's gates
        if wildcards.modality in CYTOMETRY and o["key"] not in SAMPLES.index
    ]
    return {
        "infused": bool(INFUSED),
        "panel": given.to_dict(),
        "overrides": overrides,
        # a sheet without rows for a modality is none of its parameters
        "override_sheet": CFG["cohort"]["overrides"] if overrides else None,
    }


def lineage_reference(wildcards):
    """The events of all lineages, whose negative ones show where a marker becomes positive."""
    return {"cytof": CYTOF_LINEAGES, "flow": FLOW_LINEAGES}.get(wildcards.modality, [])


def definitions_file(wildcards):
    # proteins are named alike, whatever measured them
    by = "rna" if wildcards.modality == "rna" else "cytof"
    return resource(CFG["populations"][by]["definitions"])


def refined_names(wildcards):
    """Which names refine which, by the definitions of proteins."""
    from cimlnk.populations.definitions_file import load_definitions

    given = resource(CFG["populations"]["cytof"]["definitions"])
    return load_definitions(given, infused=bool(INFUSED)).refined()


# Every change is measured from the cohort's baseline first, then from the further ones.
STATE = CFG["dynamics"]["state"] | {
    "baselines": list(
        dict.fromkeys(
            [
                CFG["dynamics"]["baseline_timepoint"],
                *CFG["dynamics"]["state"]["further_baselines"],
            ]
        )
    )
}

# How labels reach the cells outside a sketch changes no byte of the results, so it is no parameter of them.
GRAPH_SETTINGS = {k: v for k, v in CFG["graph"].items() if k != "transfer"}
PER_SAMPLE = CFG["graph"]["transfer"] == "per_sample"
GRAPH_TABLES = {
    "clusters": out("{modality}/clusters.parquet"),
    "resolutions": out("{modality}/resolutions.parquet"),
    "support": out("{modality}/cluster_support.parquet"),
    "report": out("{modality}/clustering.json"),
}
GRAPH_PICTURE = {"umap": out("{modality}/umap.parquet")}
GRAPH_GATHERED = GRAPH_TABLES | GRAPH_PICTURE
if PER_SAMPLE:
    # the graph's cells only; graph_transfer and graph_gather make the tables of all cells from them
    GRAPH_TABLES = {"clustered": temp(out("{modality}/transfer/clustered.npz"))}
    GRAPH_PICTURE = {"picture": temp(out("{modality}/transfer/picture.npz"))}


def graph_megabytes(features):
    """Size of the rows of the features that are in the graph: all, or those of the sketch."""
    matrix = np.load(features, mmap_mode="r")
    n = len(matrix)
    rows = n if n <= CFG["graph"]["sketch_above"] else CFG["graph"]["sketch_size"]
    return matrix.nbytes / 1e6 * min(1, rows / max(n, 1))


def megabytes(*files):
    return sum(os.path.getsize(f) for f in files) / 1e6


def transfer_parts(wildcards):
    """The labelled parts of a modality's samples, in the sheet's order."""
    return [
        out(f"{wildcards.modality}/transfer/samples/{s}.npz")
        for s in samples_of(wildcards.modality)
    ]


def graph_input_megabytes(input):
    """What a job on the graph holds: of a sketch, with transfer per sample, the sketch."""
    if PER_SAMPLE:
        return megabytes(input.graph) + graph_megabytes(input.features)
    return input.size_mb


def state_features(wildcards):
    """Genes to summarise per sample and population; None takes every marker of the panel."""
    if wildcards.modality in CYTOMETRY:
        return None
    from cimlnk.populations.definitions_file import load_definitions

    genes = load_definitions(
        resource(CFG["populations"]["rna"]["definitions"])
    ).features()
    paired = CFG["dynamics"]["agreement"]["pairs"].values()
    return sorted({*genes, *paired, *CFG["populations"]["rna"]["state_genes"]})


def file_digest(path):
    """Hash of a shipped file that a rule reads as a parameter."""
    return hashlib.sha256(locate(path, BASE).read_bytes()).hexdigest()[:16]
