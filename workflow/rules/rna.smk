rule rna_cells:
    input:
        raw=raw_files,
        antibodies=antibody_files("counts"),
        empty=antibody_files("empty"),
        hashtags=antibody_files("hashtags"),
        lineages=resource(CFG["rna"]["lineages"]),
    output:
        cells=out("rna/samples/{sample}.h5ad"),
        gates=out("rna/gates/{sample}.parquet"),
        proteins=out("rna/proteins/{sample}.h5ad"),
    log:
        out("logs/rna_cells/{sample}.log"),
    benchmark:
        out("benchmarks/rna_cells/{sample}.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt
        * max(2000, int(30 * input.size_mb)),
        runtime=30,
    params:
        settings=CFG["rna"],
        seed=CFG["seed"],
        tissue=lambda wildcards: SAMPLES.at[wildcards.sample, "tissue_or_product"],
        hashtag=hashtag,
        content=content,
        code=code("rna_cells"),
    script:
        "../scripts/rna_cells.py"


rule rna_features:
    input:
        cells=[out(f"rna/samples/{s}.h5ad") for s in samples_of("rna")],
        samples=out("cohort/samples.parquet"),
        lineages=resource(CFG["rna"]["lineages"]),
        definitions=resource(CFG["populations"]["rna"]["definitions"]),
    output:
        summary=out("rna/summary.parquet"),
        cells=out("rna/cells.parquet"),
        features=out("rna/features.npy"),
        report=out("rna/features.json"),
    log:
        out("logs/rna_features.log"),
    benchmark:
        out("benchmarks/rna_features.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt
        * max(2000, int(20 * input.size_mb)),
        runtime=60,
    params:
        settings=CFG["rna"],
        seed=CFG["seed"],
        others=len(MODALITIES) > 1,
        content=content,
        code=code("rna_features"),
    script:
        "../scripts/rna_features.py"
