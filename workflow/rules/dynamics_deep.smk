# Below the counts: neighbourhoods, marker state, expression, identity over time, repertoires, agreement of modalities.

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


rule dynamics_state:
    input:
        states=[out(f"{m}/state.parquet") for m in MODALITIES],
        samples=out("cohort/samples.parquet"),
    output:
        tests=report(
            out("dynamics/state.parquet"),
            caption="../report/dynamics_state.rst",
            category="Dynamics",
            labels={"table": "differential state"},
        ),
    log:
        out("logs/dynamics_state.log"),
    benchmark:
        out("benchmarks/dynamics_state.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        modalities=MODALITIES,
        settings=STATE,
        seed=CFG["seed"],
        code=code("dynamics_state"),
    script:
        "../scripts/dynamics_state.py"


rule dynamics_repertoire:
    input:
        samples=out("cohort/samples.parquet"),
        abundance=out("dynamics/abundance.parquet"),
        cells=[out(f"cytof/samples/{s}.h5ad") for s in samples_of("cytof")],
        thresholds=[out(f"{m}/thresholds.parquet") for m in MODALITIES if m == "cytof"],
    output:
        repertoire=out("dynamics/repertoire.parquet"),
        diversities=report(
            out("dynamics/repertoire_diversity.parquet"),
            caption="../report/dynamics_repertoire.rst",
            category="Dynamics",
            labels={"table": "receptor diversity"},
        ),
        distances=out("dynamics/repertoire_distances.parquet"),
        tests=report(
            out("dynamics/repertoire_tests.parquet"),
            caption="../report/dynamics_repertoire.rst",
            category="Dynamics",
            labels={"table": "donor and time in the repertoire"},
        ),
    log:
        out("logs/dynamics_repertoire.log"),
    benchmark:
        out("benchmarks/dynamics_repertoire.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        settings=CFG["dynamics"]["repertoire"],
        seed=CFG["seed"],
        code=code("dynamics_repertoire"),
    script:
        "../scripts/dynamics_repertoire.py"


rule dynamics_agreement:
    input:
        abundance=out("dynamics/abundance.parquet"),
        folds=out("dynamics/folds.parquet"),
        states=[out(f"{m}/state.parquet") for m in MODALITIES],
        samples=out("cohort/samples.parquet"),
    output:
        table=report(
            out("dynamics/agreement.parquet"),
            caption="../report/dynamics_agreement.rst",
            category="Dynamics",
            labels={"table": "agreement of the modalities"},
        ),
        pairs=out("dynamics/agreement_pairs.parquet"),
    log:
        out("logs/dynamics_agreement.log"),
    benchmark:
        out("benchmarks/dynamics_agreement.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        modalities=MODALITIES,
        settings=CFG["dynamics"]["agreement"],
        seed=CFG["seed"],
        code=code("dynamics_agreement"),
    script:
        "../scripts/dynamics_agreement.py"


rule dynamics_neighbourhoods:
    input:
        features=[out(f"{m}/features.npy") for m in MODALITIES],
        graphs=[out(f"{m}/graph.npz") for m in MODALITIES],
        cells=[out(f"{m}/cells.parquet") for m in MODALITIES],
        populations=[out(f"{m}/populations.parquet") for m in MODALITIES],
        umaps=[out(f"{m}/umap.parquet") for m in MODALITIES],
        samples=out("cohort/samples.parquet"),
    output:
        neighbourhoods=report(
            out("dynamics/neighbourhoods.parquet"),
            caption="../report/dynamics_neighbourhoods.rst",
            category="Dynamics",
            labels={"table": "neighbourhood abundance"},
        ),
    log:
        out("logs/dynamics_neighbourhoods.log"),
    benchmark:
        out("benchmarks/dynamics_neighbourhoods.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: 1500 + attempt * int(3 * input.size_mb),
        runtime=60,
    params:
        modalities=MODALITIES,
        settings=CFG["dynamics"]["neighbourhoods"],
        state=STATE,
        seed=CFG["seed"],
        code=code("dynamics_neighbourhoods"),
    script:
        "../scripts/dynamics_neighbourhoods.py"


rule dynamics_expression:
    input:
        pseudobulk=[out(f"{m}/pseudobulk.h5ad") for m in MODALITIES if m == "rna"],
        samples=out("cohort/samples.parquet"),
        signatures=[resource(s) for s in CFG["dynamics"]["expression"]["signatures"]],
    output:
        expression=report(
            out("dynamics/expression.parquet"),
            caption="../report/dynamics_expression.rst",
            category="Dynamics",
            labels={"table": "differential expression"},
        ),
        signatures=report(
            out("dynamics/signatures.parquet"),
            caption="../report/dynamics_expression.rst",
            category="Dynamics",
            labels={"table": "gene programmes"},
        ),
        scores=out("dynamics/signature_scores.parquet"),
    log:
        out("logs/dynamics_expression.log"),
    benchmark:
        out("benchmarks/dynamics_expression.tsv")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=CFG["dynamics"]["expression"],
        state=STATE,
        seed=CFG["seed"],
        code=code("dynamics_expression"),
    script:
        "../scripts/dynamics_expression.py"


rule dynamics_links:
    input:
        features=[out(f"{m}/features.npy") for m in MODALITIES],
        cells=[out(f"{m}/cells.parquet") for m in MODALITIES],
        populations=[out(f"{m}/populations.parquet") for m in MODALITIES],
        abundance=out("dynamics/abundance.parquet"),
        samples=out("cohort/samples.parquet"),
    output:
        links=report(
            out("dynamics/links.parquet"),
            caption="../report/dynamics_links.rst",
            category="Dynamics",
            labels={"table": "links of clusters over time"},
        ),
        events=report(
            out("dynamics/events.parquet"),
            caption="../report/dynamics_links.rst",
            category="Dynamics",
            labels={"table": "births, losses, splits, merges"},
        ),
        tracks=out("dynamics/tracks.parquet"),
        ancestry=report(
            out("dynamics/ancestry.parquet"),
            caption="../report/dynamics_links.rst",
            category="Dynamics",
            labels={"table": "ancestry from the product"},
        ),
    log:
        out("logs/dynamics_links.log"),
    benchmark:
        out("benchmarks/dynamics_links.tsv")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=lambda wildcards, input, attempt: 1500 + attempt * int(2 * input.size_mb),
        runtime=60,
    params:
        modalities=MODALITIES,
        settings=CFG["dynamics"]["links"],
        seed=CFG["seed"],
        code=code("dynamics_links"),
    script:
        "../scripts/dynamics_links.py"
