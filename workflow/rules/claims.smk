rule claims_evaluate:
    input:
        unpack(claims_tables),
        definitions=resource("seeds/claims.yaml"),
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
        settings=CFG["claims"],
        infused=bool(INFUSED),
        seed=CFG["seed"],
        code=code("claims_evaluate"),
    script:
        "../scripts/claims_evaluate.py"
