# Whose NK cells: shares of donor and recipient, cells per microlitre, kinetics and tests.
rule dynamics_chimerism:
    input:
        calls=out("donors/calls.parquet"),
        matches=out("donors/matches.parquet"),
        populations=out("rna/populations.parquet"),
        abundance=out("dynamics/abundance.parquet"),
        samples=out("cohort/samples.parquet"),
        patients=out("cohort/patients.parquet"),
    output:
        shares=report(
            out("dynamics/donor_shares.parquet"),
            caption="../report/dynamics_chimerism.rst",
            category="Dynamics",
            labels={"table": "shares of donor and recipient"},
        ),
        kinetics=out("dynamics/donor_kinetics.parquet"),
        tests=out("dynamics/donor_tests.parquet"),
    log:
        out("logs/dynamics_chimerism.log"),
    benchmark:
        out("benchmarks/dynamics_chimerism.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * int(2000 + 4 * input.size_mb),
        runtime=30,
    params:
        design=CFG["donors"]["design"],
        uncertainty=CFG["dynamics"]["uncertainty"],
        baseline_timepoint=CFG["dynamics"]["baseline_timepoint"],
        settings=CFG["dynamics"]["tests"],
        reference_arm=CFG["dynamics"]["state"]["reference_arm"],
        min_patients=CFG["dynamics"]["state"]["min_patients"],
        seed=CFG["seed"],
        code=code("dynamics_chimerism"),
    script:
        "../scripts/dynamics_chimerism.py"
