# Which genes and programmes move, from counts summed per sample and population.


rule dynamics_expression:
    input:
        pseudobulk=[out(f"{m}/pseudobulk.h5ad") for m in MODALITIES if m == "rna"],
        samples=out("cohort/samples.parquet"),
        signatures=[resource(s) for s in CFG["dynamics"]["expression"]["signatures"]],
    output:
        expression=report(
            out("dynamics/expression.parquet"),
            caption="../report/dynamics_expression.rst",
            category="Dynamics",
            labels={"table": "differential expression"},
        ),
        signatures=report(
            out("dynamics/signatures.parquet"),
            caption="../report/dynamics_expression.rst",
            category="Dynamics",
            labels={"table": "gene programmes"},
        ),
        scores=out("dynamics/signature_scores.parquet"),
    log:
        out("logs/dynamics_expression.log"),
    benchmark:
        out("benchmarks/dynamics_expression.tsv")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=CFG["dynamics"]["expression"],
        state=STATE,
        seed=CFG["seed"],
        content=content,
        code=code("dynamics_expression"),
    script:
        "../scripts/dynamics_expression.py"
