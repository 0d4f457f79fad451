# Whether the modalities say the same, every two of them.


rule dynamics_agreement:
    input:
        abundance=out("dynamics/abundance.parquet"),
        folds=out("dynamics/folds.parquet"),
        states=[out(f"{m}/state.parquet") for m in MODALITIES],
        samples=out("cohort/samples.parquet"),
        proteins=out("adt/cells.parquet") if "rna" in MODALITIES else [],
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
        refines=refined_names,
        code=code("dynamics_agreement"),
    script:
        "../scripts/dynamics_agreement.py"
