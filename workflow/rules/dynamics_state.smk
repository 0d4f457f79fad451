# What the cells of a population carry: markers and genes, tested within patients.


rule dynamics_state:
    input:
        states=[out(f"{m}/state.parquet") for m in MODALITIES],
        samples=out("cohort/samples.parquet"),
    output:
        tests=report(
            out("dynamics/state.parquet"),
            caption="../report/dynamics_state.rst",
            category="Dynamics",
            labels={"table": "differential state"},
        ),
    log:
        out("logs/dynamics_state.log"),
    benchmark:
        out("benchmarks/dynamics_state.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        modalities=MODALITIES,
        settings=STATE,
        seed=CFG["seed"],
        code=code("dynamics_state"),
    script:
        "../scripts/dynamics_state.py"
