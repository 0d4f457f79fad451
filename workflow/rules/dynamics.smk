# Counts, folds, kinetics, tests and diversity: tables in, tables out, both modalities at once.


rule dynamics_abundance:
    input:
        populations=[out(f"{m}/populations.parquet") for m in MODALITIES],
        summaries=[out(f"{m}/summary.parquet") for m in MODALITIES],
        samples=out("cohort/samples.parquet"),
        counts=out("cohort/counts.parquet"),
        patients=out("cohort/patients.parquet"),
    output:
        abundance=out("dynamics/abundance.parquet"),
        folds=out("dynamics/folds.parquet"),
    log:
        out("logs/dynamics_abundance.log"),
    benchmark:
        out("benchmarks/dynamics_abundance.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=20,
    params:
        modalities=MODALITIES,
        baseline_timepoint=CFG["dynamics"]["baseline_timepoint"],
        uncertainty=CFG["dynamics"]["uncertainty"],
        code=code(
            "common",
            "dynamics/tables",
            "dynamics/counts",
            "dynamics/intervals",
            "dynamics/abundance",
            "dynamics/folds",
            "dynamics/files",
        ),
    script:
        "../scripts/dynamics_abundance.py"


rule dynamics_kinetics:
    input:
        abundance=out("dynamics/abundance.parquet"),
        folds=out("dynamics/folds.parquet"),
        counts=out("cohort/counts.parquet"),
    output:
        kinetics=out("dynamics/kinetics.parquet"),
        curves=out("dynamics/curves.parquet"),
    log:
        out("logs/dynamics_kinetics.log"),
    benchmark:
        out("benchmarks/dynamics_kinetics.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        baseline_timepoint=CFG["dynamics"]["baseline_timepoint"],
        settings=CFG["dynamics"]["kinetics"],
        seed=CFG["seed"],
        code=code(
            "common",
            "dynamics/tables",
            "dynamics/folds",
            "dynamics/kinetics",
            "dynamics/kinetics_fit",
            "dynamics/kinetics_model",
            "dynamics/files",
        ),
    script:
        "../scripts/dynamics_kinetics.py"
