# Receptor combinations: which a sample holds, how diverse it is, how far from the others.


rule dynamics_repertoire:
    input:
        samples=out("cohort/samples.parquet"),
        abundance=out("dynamics/abundance.parquet"),
        cells=[out(f"{PROTEIN}/samples/{s}.h5ad") for s in samples_of(PROTEIN)],
        thresholds=[out(f"{PROTEIN}/thresholds.parquet")] if PROTEIN else [],
    output:
        repertoire=out("dynamics/repertoire.parquet"),
        diversities=report(
            out("dynamics/repertoire_diversity.parquet"),
            caption="../report/dynamics_repertoire.rst",
            category="Dynamics",
            labels={"table": "receptor diversity"},
        ),
        distances=out("dynamics/repertoire_distances.parquet"),
        tests=report(
            out("dynamics/repertoire_tests.parquet"),
            caption="../report/dynamics_repertoire.rst",
            category="Dynamics",
            labels={"table": "donor and time in the repertoire"},
        ),
    log:
        out("logs/dynamics_repertoire.log"),
    benchmark:
        out("benchmarks/dynamics_repertoire.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        settings=CFG["dynamics"]["repertoire"],
        modality=PROTEIN,
        seed=CFG["seed"],
        code=code("dynamics_repertoire"),
    script:
        "../scripts/dynamics_repertoire.py"
