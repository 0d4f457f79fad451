# What to tell the reader before any result: one table of warnings, drawn from the tables of all stages.
rule quality_warnings:
    input:
        quality_tables,
    output:
        warnings=out("quality/warnings.parquet"),
        availability=out("quality/availability.parquet"),
    log:
        out("logs/quality_warnings.log"),
    benchmark:
        out("benchmarks/quality_warnings.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        baseline=CFG["dynamics"]["baseline_timepoint"],
        code=code("quality_warnings"),
    script:
        "../scripts/quality_warnings.py"
