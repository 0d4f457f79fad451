# How many cells of each population: counts and folds, tests, scales and power, diversity; both modalities at once.


rule dynamics_abundance:
    input:
        populations=[out(f"{m}/populations.parquet") for m in MODALITIES],
        summaries=[out(f"{m}/summary.parquet") for m in MODALITIES],
        samples=out("cohort/samples.parquet"),
        counts=out("cohort/counts.parquet"),
        patients=out("cohort/patients.parquet"),
    output:
        abundance=report(
            out("dynamics/abundance.parquet"),
            caption="../report/dynamics_abundance.rst",
            category="Dynamics",
            labels={"table": "cells per microlitre"},
        ),
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
        few_cells=CFG["dynamics"]["few_cells"],
        rna_suspension=CFG["dynamics"]["rna_suspension"],
        code=code("dynamics_abundance"),
    script:
        "../scripts/dynamics_abundance.py"


rule dynamics_tests:
    input:
        abundance=out("dynamics/abundance.parquet"),
        samples=out("cohort/samples.parquet"),
        patients=out("cohort/patients.parquet"),
    output:
        tests=report(
            out("dynamics/tests.parquet"),
            caption="../report/dynamics_tests.rst",
            category="Dynamics",
            labels={"table": "differential abundance"},
        ),
        scales=out("dynamics/scales.parquet"),
        power=out("dynamics/power.parquet"),
    log:
        out("logs/dynamics_tests.log"),
    benchmark:
        out("benchmarks/dynamics_tests.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        baseline_timepoint=CFG["dynamics"]["baseline_timepoint"],
        settings=CFG["dynamics"]["tests"],
        reference_arm=CFG["dynamics"]["state"]["reference_arm"],
        min_patients=CFG["dynamics"]["state"]["min_patients"],
        seed=CFG["seed"],
        code=code("dynamics_tests"),
    script:
        "../scripts/dynamics_tests.py"


rule dynamics_diversity:
    input:
        abundance=out("dynamics/abundance.parquet"),
    output:
        diversity=report(
            out("dynamics/diversity.parquet"),
            caption="../report/dynamics_diversity.rst",
            category="Dynamics",
            labels={"table": "diversity of populations"},
        ),
    log:
        out("logs/dynamics_diversity.log"),
    benchmark:
        out("benchmarks/dynamics_diversity.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=CFG["dynamics"]["diversity"],
        seed=CFG["seed"],
        code=code("dynamics_diversity"),
    script:
        "../scripts/dynamics_diversity.py"
