# What all rules share: the resolved config, the sheets, and where things lie. The only place for input functions.
import functools
import hashlib
import logging
import os
import re
import sys

import numpy as np
import pandas as pd

# Jobs find the library without installing it: in this process, in scripts, in shell commands and in cluster jobs.
sys.path.insert(0, str(ROOT / "workflow"))
os.environ.update(
    PYTHONPATH=os.pathsep.join(
        [str(ROOT / "workflow"), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
)

from cimlnk.cohort.command_line import check_config_files, placed
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
from cimlnk.front.early import check_early
from cimlnk.rna.folder import input_files

CONFIG_FILES = [str(f) for f in workflow.overwrite_configfiles or []]
try:
    # read once more by a reader that refuses what Snakemake passes over: a section twice, of which it keeps the last
    check_config_files(["--configfile", *CONFIG_FILES])
    # that a key has another name now is said once, not by every job
    if not workflow.is_main_process:
        logging.getLogger("cimlnk.cohort.config").setLevel(logging.ERROR)
    CFG = resolve(config, BASE)
    COHORT = load_cohort(CFG, BASE)
    DONORS = load_donors(CFG, BASE, COHORT.samples)
    check_early(CFG, [*COHORT.samples.columns, *COHORT.patients.columns], BASE)
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


def raw_path(wildcards):
    """The raw file (or 10x folder) of a sample, as the sheet or a download gives it."""
    return SAMPLES.at[wildcards.sample, "path"]


def simulated_folder(path):
    """The files of a 10x folder that the simulation writes."""
    return {
        "matrix": f"{path}/matrix.mtx.gz",
        "barcodes": f"{path}/barcodes.tsv.gz",
        "features": f"{path}/features.tsv.gz",
    }


def raw_files(wildcards):
    """The files that are a sample's raw counts: of a 10x folder its matrix, barcodes and features."""
    path = raw_path(wildcards)
    if wildcards.sample in COHORT.given:
        return input_files(path)
    # what a rule writes may not be there yet; only the simulation writes folders
    return [path] if Path(path).suffix else list(simulated_folder(path).values())


def antibody_files(what):
    """The file (or the files of a 10x folder) that the antibody sheet gives a sample as `what`: counts, empty, hashtags."""

    def files(wildcards):
        given = COHORT.antibodies.get(wildcards.sample, {})
        return input_files(given[what]) if what in given else []

    return files


def hashtag(wildcards):
    """Which cells of a pool are a sample's, by the antibody sheet; None where its file is its own."""
    given = COHORT.antibodies.get(wildcards.sample, {})
    return {
        k: v for k, v in given.items() if k.startswith("hashtag_") or k == "hashtag"
    }


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


def acquired_path(wildcards):
    """The file of an acquisition as the instrument wrote it: one sample, or a pool of barcoded ones."""
    return PREPARATION.acquisitions[wildcards.acquisition]


def pool_path(wildcards):
    """The pooled file that debarcoding reads: raw, or bead-normalised if that step is on."""
    name = wildcards.get("acquisition") or PREPARATION.acquisition_of[wildcards.sample]
    folder = PREPARATION.folder_before("debarcoding")
    return (
        PREPARATION.acquisitions[name]
        if folder is None
        else out(f"cytof/{folder}/{name}.fcs")
    )


def assignments_path(wildcards):
    """To which sample every event of a sample's pool belongs."""
    name = PREPARATION.acquisition_of[wildcards.sample]
    return out(f"cytof/debarcoded/{name}.parquet")


def uncompensated_path(wildcards):
    """A sample's file as compensation reads it."""
    folder = PREPARATION.folder_before("spillover")
    return (
        raw_path(wildcards)
        if folder is None
        else out(f"cytof/{folder}/{wildcards.sample}.fcs")
    )


def prepared_file(sample):
    """A sample's file as gating reads it: the raw one unless a preparation step is on, which flow always has."""
    if SAMPLES.at[sample, "modality"] == "flow":
        return out(f"flow/compensated/{sample}.fcs")
    folder = PREPARATION.folder_before(None)
    return (
        SAMPLES.at[sample, "path"]
        if folder is None
        else out(f"cytof/{folder}/{sample}.fcs")
    )


def prepared_path(wildcards):
    return prepared_file(wildcards.sample)


def sample_files(wildcards):
    """The per-sample h5ad files of a modality, in the sheet's order."""
    return [
        out(f"{wildcards.modality}/samples/{s}.h5ad")
        for s in samples_of(wildcards.modality)
    ]


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
    from cimlnk.populations.definitions import load_definitions

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
    from cimlnk.populations.definitions import load_definitions

    genes = load_definitions(
        resource(CFG["populations"]["rna"]["definitions"])
    ).features()
    paired = CFG["dynamics"]["agreement"]["pairs"].values()
    return sorted({*genes, *paired, *CFG["populations"]["rna"]["state_genes"]})


def file_digest(path):
    """Hash of a shipped file that a rule reads as a parameter."""
    return hashlib.sha256(locate(path, BASE).read_bytes()).hexdigest()[:16]


def claims_tables(wildcards):
    """The tables claims are judged by; names that begin with tests_ are parts of one table."""
    tables = {
        name: out(f"cohort/{name}.parquet")
        for name in ("samples", "counts", "patients")
    }
    tables |= {
        name: out(f"dynamics/{name}.parquet")
        for name in ("abundance", "folds", "kinetics")
    }
    # receptor diversity where receptors were measured, as in Strauss-Albee 2015; else that of the named subsets
    diversity = "repertoire_diversity" if CYTOMETRY else "diversity"
    tables["diversity"] = out(f"dynamics/{diversity}.parquet")
    tables |= {f"state_{m}": out(f"{m}/state.parquet") for m in MODALITIES}
    asked = ["tests", "state", "repertoire_tests", "neighbourhoods"]
    if "rna" in MODALITIES:
        asked += ["expression", "signatures"]
    tables |= {f"tests_{name}": out(f"dynamics/{name}.parquet") for name in asked}
    if CYTOMETRY:
        tables["release"] = out("dynamics/release.parquet")
    if CFG["simulate"] is not None:
        tables["difficulty"] = out("truth/difficulty.parquet")
    return tables


DYNAMICS_TABLES = (
    "abundance folds kinetics curves diversity tests scales power state repertoire_distances repertoire_tests "
    "repertoire_diversity agreement agreement_pairs neighbourhoods identity events tracks ancestry expression signatures "
    "signature_scores"
).split()


ADT_TABLES = ("antibodies", "thresholds", "nk_agreement", "name_agreement")


def report_tables(wildcards):
    """Everything the site shows."""
    files = [
        out(f"cohort/{name}")
        for name in (
            "samples.parquet",
            "counts.parquet",
            "patients.parquet",
            "panel.parquet",
            "design.json",
        )
    ]
    per_modality = (
        "summary.parquet cells.parquet populations.parquet overridden.parquet annotation.parquet profiles.parquet umap.parquet "
        "resolutions.parquet resolutions.svg cluster_support.parquet clustering.json graph.json features.json"
    ).split()
    for modality in MODALITIES:
        files += [out(f"{modality}/{name}") for name in per_modality]
        files += [
            out(f"{modality}/gates/{sample}.parquet") for sample in samples_of(modality)
        ]
    files += [out(name) for name in PREPARATION.shown()]
    if "rna" in MODALITIES:
        files += [out(f"adt/{name}.parquet") for name in ADT_TABLES]
    for m in CYTOMETRY:
        files += [out(f"{m}/gates/{sample}.png") for sample in samples_of(m)]
    if "flow" in MODALITIES:
        files.append(out("flow/cofactors.parquet"))
        files += [out(f"flow/compensated/{s}.json") for s in samples_of("flow")]
    if CYTOMETRY:
        files += [out("dynamics/release.parquet"), out("cohort/functional.parquet")]
    files += [out(f"dynamics/{name}.parquet") for name in DYNAMICS_TABLES]
    files.append(out("claims/claims.parquet"))
    files += DONOR_TABLES
    files += [out("quality/warnings.parquet"), out("quality/availability.parquet")]
    files.append(out("export/explorer.html"))
    files += [out("export/summary.pdf"), out("export/patients.pdf")]
    if CFG["simulate"] is not None:
        files += [
            out(f"truth/{name}.parquet") for name in ("recovery", "cases", "difficulty")
        ]
    return files


def clinician_tables(wildcards):
    """What the ten answers and the patients' pages rest on."""
    files = [
        out(f"cohort/{name}.parquet") for name in ("samples", "counts", "patients")
    ]
    for modality in MODALITIES:
        files += [
            out(f"{modality}/{name}.parquet") for name in ("summary", "populations")
        ]
    files += [
        out(f"dynamics/{name}.parquet")
        for name in ("abundance", "folds", "kinetics", "tests")
    ]
    if CYTOMETRY:
        files.append(out("dynamics/release.parquet"))
    return [*files, out("quality/warnings.parquet")]


# What the donor calls give, where there are any.
DONOR_TABLES = [
    out(name)
    for name in (
        "donors/calls.parquet",
        "donors/matches.parquet",
        "donors/comparisons.parquet",
        "dynamics/donor_shares.parquet",
        "dynamics/donor_kinetics.parquet",
        "dynamics/donor_tests.parquet",
    )
    if DONORS.rows
]


def explorer_files(wildcards):
    """What the explorer reads of every modality."""
    files = {}
    for m in MODALITIES:
        files[f"{m}_files"] = [out(f"{m}/samples/{s}.h5ad") for s in samples_of(m)]
        for name in ("cells", "populations", "umap", "profiles"):
            files[f"{m}_{name}"] = out(f"{m}/{name}.parquet")
    return files


def workbook_tables(wildcards):
    """The small tables that the workbook shows."""
    files = [
        out(f"cohort/{name}.parquet") for name in ("samples", "counts", "patients")
    ]
    files += [
        out(f"dynamics/{name}.parquet")
        for name in ("abundance", "folds", "kinetics", "tests")
    ]
    if CFG["export"]["pharmacology"]:
        files += [out(f"export/{name}.parquet") for name in ("exposure", "outcomes")]
    return [*files, out("claims/claims.parquet"), out("quality/warnings.parquet")]


def everything(wildcards):
    """What README names: the report alone would not miss a table that was lost under it."""
    files = [*report_tables(wildcards), *exports(wildcards)]
    for m in MODALITIES:
        files += [out(f"{m}/samples/{s}.h5ad") for s in samples_of(m)]
    return list(dict.fromkeys(files))


def exports(wildcards):
    """What the config asks for in the formats of other programs."""
    wanted = CFG["export"]
    files = []
    if wanted["h5ad"]:
        files += [out(f"export/{m}.h5ad") for m in MODALITIES]
        files.append(out("export/cohort.h5mu"))
    if wanted["workbook"]:
        files.append(out("export/cohort.xlsx"))
    if wanted["pharmacology"]:
        files += [out("export/exposure.parquet"), out("export/nonmem.csv")]
    if CFG["cytof"]["export_fcs"] and CYTOMETRY:
        files.append(out("export/workspace.wsp"))
        if len(CYTOMETRY) == 2:
            files.append(out("export/flow/workspace.wsp"))
    return files


def gates_by_hand(wildcards):
    """Thresholds that the override sheet sets for one sample's gates: marker and value."""
    return {
        o["marker"]: o["number"]
        for o in thresholds_of(COHORT.overrides)
        if o["key"] == wildcards.sample
    }


def quality_tables(wildcards):
    """The tables of the stages that may have something to tell."""
    files = [
        out(f"cohort/{name}")
        for name in ("samples.parquet", "counts.parquet", "design.json")
    ]
    for modality in MODALITIES:
        files += [
            out(f"{modality}/{name}.parquet")
            for name in "summary populations overridden annotation thresholds".split()
        ]
        for sample in samples_of(modality):
            files += [
                out(f"{modality}/gates/{sample}.parquet"),
                out(f"{modality}/samples/{sample}.h5ad"),
            ]
    for modality in CYTOMETRY:
        files.append(out(f"{modality}/lineages.parquet"))
        called = CYTOF_LINEAGES if modality == "cytof" else FLOW_LINEAGES
        files += [called] if called else []
    if "rna" in MODALITIES:
        files += [out(f"adt/{n}_agreement.parquet") for n in ("nk", "name")]
    files += DONOR_TABLES
    return files
