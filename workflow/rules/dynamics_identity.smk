# Which cluster of one day is which of the next.


rule dynamics_identity:
    input:
        features=[out(f"{m}/features.npy") for m in MODALITIES],
        cells=[out(f"{m}/cells.parquet") for m in MODALITIES],
        populations=[out(f"{m}/populations.parquet") for m in MODALITIES],
        abundance=out("dynamics/abundance.parquet"),
        samples=out("cohort/samples.parquet"),
    output:
        identity=report(
            out("dynamics/identity.parquet"),
            caption="../report/dynamics_identity.rst",
            category="Dynamics",
            labels={"table": "links of clusters over time"},
        ),
        events=report(
            out("dynamics/events.parquet"),
            caption="../report/dynamics_identity.rst",
            category="Dynamics",
            labels={"table": "births, losses, splits, merges"},
        ),
        tracks=out("dynamics/tracks.parquet"),
        ancestry=report(
            out("dynamics/ancestry.parquet"),
            caption="../report/dynamics_identity.rst",
            category="Dynamics",
            labels={"table": "ancestry from the product"},
        ),
    log:
        out("logs/dynamics_identity.log"),
    benchmark:
        out("benchmarks/dynamics_identity.tsv")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=lambda wildcards, input, attempt: 1500 + attempt * int(2 * input.size_mb),
        runtime=60,
    params:
        modalities=MODALITIES,
        settings=CFG["dynamics"]["identity"],
        seed=CFG["seed"],
        code=code("dynamics_identity"),
    script:
        "../scripts/dynamics_identity.py"
