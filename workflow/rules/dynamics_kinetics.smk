# How the cells rise and fall: a curve per patient and population.


rule dynamics_kinetics:
    input:
        abundance=out("dynamics/abundance.parquet"),
        folds=out("dynamics/folds.parquet"),
        counts=out("cohort/counts.parquet"),
    output:
        kinetics=report(
            out("dynamics/kinetics.parquet"),
            caption="../report/dynamics_kinetics.rst",
            category="Dynamics",
            labels={"table": "kinetics"},
        ),
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
        code=code("dynamics_kinetics"),
    script:
        "../scripts/dynamics_kinetics.py"
