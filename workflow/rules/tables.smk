# What the late rules read and what `all` asks for: lists of tables of every stage.


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
    return [*files, out("cohort/design.json"), out("quality/warnings.parquet")]


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
    """Every result but prepared raw files: the report alone would not miss a table that was lost under it.

    Nor would a later table miss an earlier one that was lost when a forced run was killed, since it is there itself.
    """
    files = [*report_tables(wildcards), *exports(wildcards)]
    for m in MODALITIES:
        names = (
            "clusters.parquet thresholds.parquet state.parquet features.npy graph.npz"
        )
        files += [out(f"{m}/{name}") for name in names.split()]
        files += [out(f"{m}/samples/{s}.h5ad") for s in samples_of(m)]
    for m in CYTOMETRY:
        called = CYTOF_LINEAGES if m == "cytof" else FLOW_LINEAGES
        files += [called] if called else []
        files += [out(f"{m}/lineages.parquet"), out(f"{m}/pool.json")]
        for end in ("xml", "npz"):
            files += [out(f"{m}/gates/{s}.{end}") for s in samples_of(m)]
    if PREPARATION.training:
        files += [out(f"cytof/alignment/{n}") for n in ("model.npz", "distances.json")]
    if "rna" in MODALITIES:
        files += [out("rna/pseudobulk.h5ad"), out("adt/proteins.h5ad")]
        files += [out(f"rna/proteins/{s}.h5ad") for s in samples_of("rna")]
        files.append(out("adt/cells.parquet"))
    files.append(out("dynamics/repertoire.parquet"))
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
        tables = "exposure.parquet outcomes.parquet nonmem.csv nonmem_key.csv"
        files += [out(f"export/{name}") for name in tables.split()]
    if CFG["cytof"]["export_fcs"] and CYTOMETRY:
        files += [out("export/workspace.wsp"), out("export/fcs")]
        if len(CYTOMETRY) == 2:
            files += [out("export/flow/workspace.wsp"), out("export/flow/fcs")]
    return files


def gates_by_hand(wildcards):
    """Thresholds that the override sheet sets for one sample's gates: marker and value."""
    return {
        o["marker"]: o["number"]
        for o in thresholds_of(COHORT.overrides)
        if o["key"] == wildcards.sample
    }


def least_lymphocytes(wildcards):
    """Lymphocytes among which no NK cell is a count of zero; None for a product or donor, whose file then is a fault."""
    blood = SAMPLES.at[wildcards.sample, "tissue_or_product"] == "blood"
    return CFG["dynamics"]["few_cells"]["min_lymphocytes"] if blood else None


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
        files.append(out(f"{modality}/graph.json"))
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
