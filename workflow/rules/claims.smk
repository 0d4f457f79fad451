rule claims_evaluate:
    input:
        unpack(claims_tables),
        definitions=resource("seeds/claims.yaml"),
        panel=resource(CFG["cohort"]["panel"]) if "cytof" in MODALITIES else [],
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
        baseline=CFG["dynamics"]["baseline_timepoint"],
        seed=CFG["seed"],
        code=code("claims_evaluate"),
    script:
        "../scripts/claims_evaluate.py"
