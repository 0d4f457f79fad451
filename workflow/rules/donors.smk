# Whose cells they are: the donor calls of all samples, and the same persons on all days.
rule donors_calls:
    input:
        calls=DONORS.files,
        references=(
            [resource(CFG["donors"]["references"])]
            if CFG["donors"]["references"]
            else []
        ),
        samples=out("cohort/samples.parquet"),
        cells=[out(f"rna/samples/{row['sample']}.h5ad") for row in DONORS.rows],
    output:
        calls=report(
            out("donors/calls.parquet"),
            caption="../report/donors_calls.rst",
            category="Cells",
            labels={"table": "donor calls"},
        ),
        matches=out("donors/matches.parquet"),
        comparisons=out("donors/comparisons.parquet"),
    log:
        out("logs/donors_calls.log"),
    benchmark:
        out("benchmarks/donors_calls.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * int(2000 + 4 * input.size_mb),
        runtime=60,
    params:
        rows=DONORS.rows,
        persons=DONORS.persons,
        files=DONORS.names(),
        settings={
            k: v
            for k, v in CFG["donors"].items()
            if k not in ("sheet", "persons", "references")
        },
        content=content,
        code=code("donors_calls"),
    script:
        "../scripts/donors_calls.py"
