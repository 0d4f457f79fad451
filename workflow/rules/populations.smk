rule populations_name:
    input:
        samples=sample_files,
        cells=out("{modality}/cells.parquet"),
        clusters=out("{modality}/clusters.parquet"),
        support=out("{modality}/cluster_support.parquet"),
        graph=out("{modality}/graph.npz"),
        features=out("{modality}/features.npy"),
        reference=lineage_reference,
        sheet=out("cohort/samples.parquet"),
        definitions=definitions_file,
    output:
        annotation=out("{modality}/annotation.parquet"),
        populations=out("{modality}/populations.parquet"),
        profiles=out("{modality}/profiles.parquet"),
        thresholds=out("{modality}/thresholds.parquet"),
        overridden=out("{modality}/overridden.parquet"),
    log:
        out("logs/populations_name/{modality}.log"),
    benchmark:
        out("benchmarks/populations_name/{modality}.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt
        * max(1500, int(6 * input.size_mb)),
        runtime=30,
    params:
        settings=population_settings,
        seed=CFG["seed"],
        content=content,
        code=code("populations_name"),
    script:
        "../scripts/populations_name.py"


rule populations_state:
    input:
        samples=sample_files,
        sheet=out("cohort/samples.parquet"),
        populations=out("{modality}/populations.parquet"),
        thresholds=out("{modality}/thresholds.parquet"),
    output:
        state=out("{modality}/state.parquet"),
    log:
        out("logs/populations_state/{modality}.log"),
    benchmark:
        out("benchmarks/populations_state/{modality}.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=30,
    params:
        features=state_features,
        content=content,
        code=code("populations_state"),
    script:
        "../scripts/populations_state.py"


rule populations_pseudobulk:
    input:
        samples=[out(f"rna/samples/{s}.h5ad") for s in samples_of("rna")],
        populations=out("rna/populations.parquet"),
    output:
        pseudobulk=out("rna/pseudobulk.h5ad"),
    log:
        out("logs/populations_pseudobulk.log"),
    benchmark:
        out("benchmarks/populations_pseudobulk.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 3000,
        runtime=30,
    params:
        content=content,
        code=code("populations_pseudobulk"),
    script:
        "../scripts/populations_pseudobulk.py"
