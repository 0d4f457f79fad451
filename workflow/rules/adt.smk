rule adt_names:
    input:
        proteins=[out(f"rna/proteins/{s}.h5ad") for s in samples_of("rna")],
        sheet=out("cohort/samples.parquet"),
        populations=out("rna/populations.parquet"),
        definitions=resource(CFG["populations"]["cytof"]["definitions"]),
    output:
        proteins=out("adt/proteins.h5ad"),
        cells=out("adt/cells.parquet"),
        antibodies=out("adt/antibodies.parquet"),
        thresholds=out("adt/thresholds.parquet"),
        nk=out("adt/nk_agreement.parquet"),
        names=out("adt/name_agreement.parquet"),
    log:
        out("logs/adt_names.log"),
    benchmark:
        out("benchmarks/adt_names.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt
        * max(2000, int(40 * megabytes(*input.proteins))),
        runtime=60,
    params:
        settings={"infused": bool(INFUSED)},
        seed=CFG["seed"],
        content=content,
        code=code("adt_names"),
    script:
        "../scripts/adt_names.py"
