# The synthetic cohort: one job per file, so that a cluster can write them side by side. Real data need none of this.
if CFG["simulate"] is not None:
    RAW = f"data/{CFG['cohort']['id']}"
    H5_SAMPLES = [
        s for s in samples_of("rna") if str(SAMPLES.at[s, "path"]).endswith(".h5")
    ]
    FOLDER_SAMPLES = [s for s in samples_of("rna") if s not in H5_SAMPLES]

    rule simulate_cytof:
        input:
            proteins=resource("resources/simulate/proteins.tsv"),
        output:
            fcs=f"{RAW}/cytof/{{sample}}.fcs",
            truth=f"{RAW}/truth/cytof/{{sample}}.parquet",
        log:
            out("logs/simulate_cytof/{sample}.log"),
        benchmark:
            out("benchmarks/simulate_cytof/{sample}.tsv")
        wildcard_constraints:
            sample="|".join(map(re.escape, samples_of("cytof"))) or "none",
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1500,
            runtime=15,
        params:
            settings=CFG["simulate"],
            code=code("simulate_cytof"),
        script:
            "../scripts/simulate_cytof.py"

    rule simulate_flow:
        input:
            proteins=resource("resources/simulate/proteins.tsv"),
        output:
            fcs=f"{RAW}/flow/{{sample}}.fcs",
            truth=f"{RAW}/truth/flow/{{sample}}.parquet",
        log:
            out("logs/simulate_flow/{sample}.log"),
        benchmark:
            out("benchmarks/simulate_flow/{sample}.tsv")
        wildcard_constraints:
            sample="|".join(map(re.escape, samples_of("flow"))) or "none",
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1500,
            runtime=15,
        params:
            settings=CFG["simulate"],
            code=code("simulate_flow"),
        script:
            "../scripts/simulate_flow.py"

    rule simulate_rna:
        input:
            proteins=resource("resources/simulate/proteins.tsv"),
            genes=resource("resources/simulate/genes.tsv"),
            programmes=resource("resources/simulate/programmes.tsv"),
        output:
            **simulated_folder(f"{RAW}/rna/{{sample}}"),
            truth=f"{RAW}/truth/rna/{{sample}}.parquet",
        log:
            out("logs/simulate_rna/{sample}.log"),
        benchmark:
            out("benchmarks/simulate_rna/{sample}.tsv")
        wildcard_constraints:
            sample="|".join(map(re.escape, FOLDER_SAMPLES)) or "none",
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=1500,
            runtime=15,
        params:
            settings=CFG["simulate"],
            code=code("simulate_rna"),
        script:
            "../scripts/simulate_rna.py"

    use rule simulate_rna as simulate_rna_h5 with:
        output:
            h5=f"{RAW}/rna/{{sample}}.h5",
            truth=f"{RAW}/truth/rna/{{sample}}.parquet",
        log:
            out("logs/simulate_rna_h5/{sample}.log"),
        benchmark:
            out("benchmarks/simulate_rna_h5/{sample}.tsv")
        wildcard_constraints:
            sample="|".join(map(re.escape, H5_SAMPLES)) or "none",

    rule simulate_truth:
        input:
            samples=resource(CFG["cohort"]["samples"]),
            counts=resource(CFG["cohort"]["counts"]),
            patients=resource(CFG["cohort"]["patients"]),
            programmes=resource("resources/simulate/programmes.tsv"),
            cytof=[f"{RAW}/truth/cytof/{s}.parquet" for s in samples_of("cytof")],
            flow=[f"{RAW}/truth/flow/{s}.parquet" for s in samples_of("flow")],
            rna=[f"{RAW}/truth/rna/{s}.parquet" for s in samples_of("rna")],
        output:
            **(
                {"cells_flow": f"{RAW}/truth/cells_flow.parquet"}
                if "flow" in MODALITIES
                else {}
            ),
            cells_cytof=f"{RAW}/truth/cells_cytof.parquet",
            cells_rna=f"{RAW}/truth/cells_rna.parquet",
            abundance=f"{RAW}/truth/abundance.parquet",
            effects=f"{RAW}/truth/effects.parquet",
            kinetics=f"{RAW}/truth/kinetics.parquet",
        log:
            out("logs/simulate_truth/all.log"),
        benchmark:
            out("benchmarks/simulate_truth/all.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=3000,
            runtime=15,
        params:
            settings=CFG["simulate"],
            cohort=CFG["cohort"]["id"],
            code=code("simulate_truth"),
        script:
            "../scripts/simulate_truth.py"

    rule simulate_recovery:
        input:
            cells=[f"{RAW}/truth/cells_{m}.parquet" for m in MODALITIES],
            truth=f"{RAW}/truth/abundance.parquet",
            populations=[out(f"{m}/populations.parquet") for m in MODALITIES],
            summaries=[out(f"{m}/summary.parquet") for m in MODALITIES],
            abundance=out("dynamics/abundance.parquet"),
            folds=out("dynamics/folds.parquet"),
        output:
            recovery=out("truth/recovery.parquet"),
            cases=out("truth/cases.parquet"),
        log:
            out("logs/simulate_recovery/all.log"),
        benchmark:
            out("benchmarks/simulate_recovery/all.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=3000,
            runtime=15,
        params:
            modalities=MODALITIES,
            code=code("simulate_recovery"),
        script:
            "../scripts/simulate_recovery.py"

    rule simulate_difficulty:
        input:
            sheet=out("cohort/samples.parquet"),
            samples=[
                out(f"{m}/samples/{s}.h5ad") for m in MODALITIES for s in samples_of(m)
            ],
            cells=[f"{RAW}/truth/cells_{m}.parquet" for m in MODALITIES],
            populations=[out(f"{m}/populations.parquet") for m in MODALITIES],
            panel=resource(CFG["cohort"]["panel"]) if "cytof" in MODALITIES else [],
            flow_panel=(
                resource(CFG["flow"]["panel"] or CFG["cohort"]["panel"])
                if "flow" in MODALITIES
                else []
            ),
        output:
            difficulty=out("truth/difficulty.parquet"),
        log:
            out("logs/simulate_difficulty/all.log"),
        benchmark:
            out("benchmarks/simulate_difficulty/all.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=4000,
            runtime=15,
        params:
            modalities=MODALITIES,
            names={m: samples_of(m) for m in MODALITIES},
            seed=CFG["seed"],
            code=code("simulate_difficulty"),
        script:
            "../scripts/simulate_difficulty.py"
