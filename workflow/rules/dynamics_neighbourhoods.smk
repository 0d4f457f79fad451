# Where on the graph abundance moves, below the named populations.


rule dynamics_neighbourhoods:
    input:
        features=[out(f"{m}/features.npy") for m in MODALITIES],
        graphs=[out(f"{m}/graph.npz") for m in MODALITIES],
        cells=[out(f"{m}/cells.parquet") for m in MODALITIES],
        populations=[out(f"{m}/populations.parquet") for m in MODALITIES],
        umaps=[out(f"{m}/umap.parquet") for m in MODALITIES],
        samples=out("cohort/samples.parquet"),
    output:
        neighbourhoods=report(
            out("dynamics/neighbourhoods.parquet"),
            caption="../report/dynamics_neighbourhoods.rst",
            category="Dynamics",
            labels={"table": "neighbourhood abundance"},
        ),
    log:
        out("logs/dynamics_neighbourhoods.log"),
    benchmark:
        out("benchmarks/dynamics_neighbourhoods.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: 1500 + attempt * int(3 * input.size_mb),
        runtime=60,
    params:
        modalities=MODALITIES,
        settings=CFG["dynamics"]["neighbourhoods"],
        state=STATE,
        seed=CFG["seed"],
        code=code("dynamics_neighbourhoods"),
    script:
        "../scripts/dynamics_neighbourhoods.py"
