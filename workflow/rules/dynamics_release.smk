# May a product be given: purity from its own file, functional readings beside it.


rule dynamics_release:
    input:
        samples=out("cohort/samples.parquet"),
        functional=out("cohort/functional.parquet"),
        summary=out(f"{PROTEIN or 'cytof'}/summary.parquet"),
    output:
        release=report(
            out("dynamics/release.parquet"),
            caption="../report/dynamics_release.rst",
            category="Dynamics",
            labels={"table": "release of products"},
        ),
    log:
        out("logs/dynamics_release.log"),
    benchmark:
        out("benchmarks/dynamics_release.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        bound=CFG["dynamics"]["release"]["purity"],
        code=code("dynamics_release"),
    script:
        "../scripts/dynamics_release.py"
