# From fluorescence files to NK cells and the features of the graph: spillover and cofactors first, then the rules of
# mass cytometry on what comes of it.
FLOW_LINEAGES = []

if "flow" in MODALITIES:

    FLOW = CFG["flow"]
    FLOW_SHEET = resource(FLOW["panel"] or CFG["cohort"]["panel"])
    FLOW_FILES = [prepared_file(s) for s in samples_of("flow")]
    FLOW_PANEL = out("flow/panel.tsv")
    FLOW_GATES = resource(FLOW["gates"])
    FLOW_MANUAL = FLOW["manual_gates"]["file"] and resource(
        FLOW["manual_gates"]["file"]
    )
    FLOW_OWN = {key: FLOW[key] for key in "nk_identity target_lineage".split()} | {
        "input_scale": "fluorescence",
        "manual_gates": FLOW["manual_gates"] | {"file": FLOW_MANUAL},
    }
    FLOW_POOLING = CYTOF_POOLING | {
        key: FLOW_OWN[key] for key in ("input_scale", "nk_identity")
    }
    FLOW_GATING = CYTOF_GATING | FLOW_OWN
    FLOW_LINEAGES = (
        []
        if FLOW_MANUAL or FLOW["target_lineage"] is None
        else out("flow/lineages.npz")
    )

    rule flow_compensate:
        input:
            fcs=raw_path,
            panel=FLOW_SHEET,
            matrix=(
                resource(FLOW["compensation"]["matrix"])
                if FLOW["compensation"]["matrix"]
                else []
            ),
        output:
            fcs=out("flow/compensated/{sample}.fcs"),
            record=out("flow/compensated/{sample}.json"),
        log:
            out("logs/flow_compensate/{sample}.log"),
        benchmark:
            out("benchmarks/flow_compensate/{sample}.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(800 + 6 * input.size_mb),
            runtime=30,
        params:
            settings={"apply": FLOW["compensation"]["apply"]},
            content=content,
            code=code("flow_compensate"),
        script:
            "../scripts/flow_compensate.py"

    rule flow_cofactors:
        input:
            fcs=FLOW_FILES,
            panel=FLOW_SHEET,
        output:
            panel=FLOW_PANEL,
            cofactors=out("flow/cofactors.parquet"),
        log:
            out("logs/flow_cofactors.log"),
        benchmark:
            out("benchmarks/flow_cofactors.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(1000 + input.size_mb / 2),
            runtime=30,
        params:
            samples=samples_of("flow"),
            seed=CFG["seed"],
            content=content,
            code=code("flow_cofactors"),
        script:
            "../scripts/flow_cofactors.py"

    use rule cytof_pool as flow_pool with:
        input:
            fcs=FLOW_FILES,
            panel=FLOW_PANEL,
            gates=FLOW_GATES,
        output:
            pool=out("flow/pool.json"),
        log:
            out("logs/flow_pool.log"),
        benchmark:
            out("benchmarks/flow_pool.tsv")
        params:
            samples=samples_of("flow"),
            batches=list(SAMPLES.loc[samples_of("flow"), "batch"]),
            settings=FLOW_POOLING,
            until="live" if FLOW_LINEAGES else None,
            seed=CFG["seed"],
            content=content,
            code=code("cytof_pool"),

    use rule cytof_lineages as flow_lineages with:
        input:
            fcs=FLOW_FILES,
            pool=out("flow/pool.json"),
            panel=FLOW_PANEL,
            gates=FLOW_GATES,
        output:
            lineages=out("flow/lineages.npz"),
        log:
            out("logs/flow_lineages.log"),
        benchmark:
            out("benchmarks/flow_lineages.tsv")
        params:
            samples=samples_of("flow"),
            batches=list(SAMPLES.loc[samples_of("flow"), "batch"]),
            settings=FLOW_GATING | {"lineages": CFG["cytof"]["lineages"]},
            seed=CFG["seed"],
            code=code("cytof_lineages"),

    use rule cytof_cells as flow_cells with:
        input:
            fcs=prepared_path,
            # gates drawn by hand are of the instrument's own values
            acquired=raw_path if FLOW_MANUAL else [],
            pool=out("flow/pool.json"),
            panel=FLOW_PANEL,
            gates=FLOW_GATES,
            manual=FLOW_MANUAL or [],
            lineages=FLOW_LINEAGES,
        output:
            cells=out("flow/samples/{sample}.h5ad"),
            gates=out("flow/gates/{sample}.parquet"),
            gatingml=out("flow/gates/{sample}.xml"),
            picture=out("flow/gates/{sample}.npz"),
        log:
            out("logs/flow_cells/{sample}.log"),
        benchmark:
            out("benchmarks/flow_cells/{sample}.tsv")
        params:
            batch=lambda wildcards: SAMPLES.at[wildcards.sample, "batch"],
            settings=FLOW_GATING,
            by_hand=gates_by_hand,
            least_lymphocytes=least_lymphocytes,
            seed=CFG["seed"],
            content=content,
            code=code("cytof_cells"),

    use rule cytof_gates_figure as flow_gates_figure with:
        input:
            pictures=[out(f"flow/gates/{s}.npz") for s in samples_of("flow")],
        output:
            figures=[
                report(
                    out(f"flow/gates/{s}.png"),
                    caption="../report/cytof_gates_figure.rst",
                    category="Flow cytometry",
                    subcategory="Gates",
                    labels={"sample": s},
                )
                for s in samples_of("flow")
            ],
        log:
            out("logs/flow_gates_figure.log"),
        benchmark:
            out("benchmarks/flow_gates_figure.tsv")
        params:
            code=code("cytof_gates_figure"),

    use rule cytof_features as flow_features with:
        input:
            cells=[out(f"flow/samples/{s}.h5ad") for s in samples_of("flow")],
        output:
            summary=out("flow/summary.parquet"),
            cells=out("flow/cells.parquet"),
            features=out("flow/features.npy"),
            report=out("flow/features.json"),
            lineages=out("flow/lineages.parquet"),
        log:
            out("logs/flow_features.log"),
        benchmark:
            out("benchmarks/flow_features.tsv")
        params:
            samples=samples_of("flow"),
            settings={"features": CFG["cytof"]["features"]},
            others=len(MODALITIES) > 1,
            content=content,
            code=code("cytof_features"),
