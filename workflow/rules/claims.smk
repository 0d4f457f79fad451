rule claims_evaluate:
    input:
        unpack(claims_tables),
    output:
        claims=out("claims/claims.parquet"),
    log:
        out("logs/claims_evaluate.log"),
    benchmark:
        out("benchmarks/claims_evaluate.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        definitions=resource("seeds/claims.yaml"),
        digest=file_digest("seeds/claims.yaml"),
        settings=CFG["claims"],
        seed=CFG["seed"],
        code=code("common", "claims"),
    script:
        "../scripts/claims_evaluate.py"
