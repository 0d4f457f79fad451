# From FCS files to NK cells and the features of the graph. The rules of flow cytometry (flow.smk) are these with other
# files and settings; without mass cytometry files these make nothing.
# read by rules of every modality, so that it is there without mass cytometry, too
CYTOF_LINEAGES = []

if CYTOMETRY:

    # Optional preparation (cytof_prepare.smk) plugs in here: gating reads what its last step wrote.
    CYTOF_FILES = [prepared_file(s) for s in samples_of("cytof")]
    # With alignment on, gated cells become the samples' cells by cytof_align.
    CYTOF_GATED = out(
        f"cytof/{'gated' if PREPARATION.training else 'samples'}/{{sample}}.h5ad"
    )
    CYTOF_PANEL = resource(CFG["cohort"]["panel"]) if "cytof" in MODALITIES else []
    CYTOF_MANUAL = CFG["cytof"]["manual_gates"]["file"] and resource(
        CFG["cytof"]["manual_gates"]["file"]
    )
    CYTOF_GATES = resource(CFG["cytof"]["gates"])

    # What gating reads of the section. Preparation, alignment, features and export have rules of their own: with the whole
    # section as a parameter, a change to them would gate every file again, to the same cells.
    CYTOF_POOLING = {
        key: CFG["cytof"][key]
        for key in "input_scale nk_identity minimum_events bootstraps pool_events".split()
    }
    CYTOF_GATING = {
        key: CFG["cytof"][key]
        for key in "input_scale nk_identity target_lineage minimum_events bootstraps acquisition_qc manual_gates".split()
    }
    # Gates drawn by hand, and a target of null (the hierarchy alone decides), need no lineages.
    CYTOF_LINEAGES = (
        []
        if CYTOF_MANUAL or CFG["cytof"]["target_lineage"] is None
        else out("cytof/lineages.npz")
    )
    CYTOF_CALLING = CYTOF_GATING | {"lineages": CFG["cytof"]["lineages"]}

    rule cytof_pool:
        input:
            fcs=CYTOF_FILES,
            panel=CYTOF_PANEL,
            gates=CYTOF_GATES,
        output:
            pool=out("cytof/pool.json"),
        log:
            out("logs/cytof_pool.log"),
        benchmark:
            out("benchmarks/cytof_pool.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(1500 + input.size_mb / 5),
            runtime=30,
        params:
            samples=samples_of("cytof"),
            batches=list(SAMPLES.loc[samples_of("cytof"), "batch"]),
            settings=CYTOF_POOLING,
            until="live" if CYTOF_LINEAGES else None,
            seed=CFG["seed"],
            content=content,
            code=code("cytof_pool"),
        script:
            "../scripts/cytof_pool.py"

    rule cytof_lineages:
        input:
            fcs=CYTOF_FILES,
            pool=out("cytof/pool.json"),
            panel=CYTOF_PANEL,
            gates=CYTOF_GATES,
        output:
            lineages=out("cytof/lineages.npz"),
        log:
            out("logs/cytof_lineages.log"),
        benchmark:
            out("benchmarks/cytof_lineages.tsv")
        conda:
            ENVIRONMENT
        threads: 2
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(2000 + input.size_mb / 2),
            runtime=60,
        params:
            samples=samples_of("cytof"),
            batches=list(SAMPLES.loc[samples_of("cytof"), "batch"]),
            settings=CYTOF_CALLING,
            seed=CFG["seed"],
            code=code("cytof_lineages"),
        script:
            "../scripts/cytof_lineages.py"

    rule cytof_cells:
        input:
            fcs=prepared_path,
            pool=out("cytof/pool.json"),
            panel=CYTOF_PANEL,
            gates=CYTOF_GATES,
            manual=CYTOF_MANUAL or [],
            lineages=CYTOF_LINEAGES,
        output:
            cells=CYTOF_GATED,
            gates=out("cytof/gates/{sample}.parquet"),
            gatingml=out("cytof/gates/{sample}.xml"),
            picture=out("cytof/gates/{sample}.npz"),
        log:
            out("logs/cytof_cells/{sample}.log"),
        benchmark:
            out("benchmarks/cytof_cells/{sample}.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(1000 + 5 * input.size_mb),
            runtime=30,
        params:
            batch=lambda wildcards: SAMPLES.at[wildcards.sample, "batch"],
            settings=CYTOF_GATING,
            by_hand=gates_by_hand,
            least_lymphocytes=least_lymphocytes,
            seed=CFG["seed"],
            content=content,
            code=code("cytof_cells"),
        script:
            "../scripts/cytof_cells.py"

    rule cytof_gates_figure:
        input:
            pictures=[out(f"cytof/gates/{s}.npz") for s in samples_of("cytof")],
        output:
            figures=[
                report(
                    out(f"cytof/gates/{s}.png"),
                    caption="../report/cytof_gates_figure.rst",
                    category="Mass cytometry",
                    subcategory="Gates",
                    labels={"sample": s},
                )
                for s in samples_of("cytof")
            ],
        log:
            out("logs/cytof_gates_figure.log"),
        benchmark:
            out("benchmarks/cytof_gates_figure.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1000,
            runtime=30,
        params:
            code=code("cytof_gates_figure"),
        script:
            "../scripts/cytof_gates_figure.py"

    rule cytof_features:
        input:
            cells=[out(f"cytof/samples/{s}.h5ad") for s in samples_of("cytof")],
        output:
            summary=out("cytof/summary.parquet"),
            cells=out("cytof/cells.parquet"),
            features=out("cytof/features.npy"),
            report=out("cytof/features.json"),
            lineages=out("cytof/lineages.parquet"),
        log:
            out("logs/cytof_features.log"),
        benchmark:
            out("benchmarks/cytof_features.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt * int(1500 + input.size_mb),
            runtime=60,
        params:
            samples=samples_of("cytof"),
            settings={"features": CFG["cytof"]["features"]},
            others=len(MODALITIES) > 1,
            content=content,
            code=code("cytof_features"),
        script:
            "../scripts/cytof_features.py"
