# What to tell the reader before any result: one table of warnings, drawn from the tables of all stages.
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
        for sample in samples_of(modality):
            files += [
                out(f"{modality}/gates/{sample}.parquet"),
                out(f"{modality}/samples/{sample}.h5ad"),
            ]
    if "cytof" in MODALITIES:
        files.append(out("cytof/lineages.parquet"))
        files += [CYTOF_LINEAGES] if CYTOF_LINEAGES else []
    return files


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
