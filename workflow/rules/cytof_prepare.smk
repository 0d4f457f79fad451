# Optional steps between the instrument's files and gating, and alignment after it; each is off unless the config says
# otherwise, and a step that is off has no rule, so that the workflow is the same as without this file.
wildcard_constraints:
    acquisition="|".join(map(re.escape, sorted(PREPARATION.acquisitions))) or "none",


if "bead_normalisation" in PREPARATION.steps:

    if PREPARATION.baseline:

        rule cytof_normalise_beads:
            input:
                fcs=acquired_path,
            output:
                baseline=out("cytof/normalised/{acquisition}.beads.json"),
            log:
                out("logs/cytof_normalise_beads/{acquisition}.log"),
            benchmark:
                out("benchmarks/cytof_normalise_beads/{acquisition}.tsv")
            conda:
                ENVIRONMENT
            threads: 1
            resources:
                mem_mb=lambda wildcards, input, attempt: attempt
                * int(800 + 3 * input.size_mb),
                runtime=30,
            params:
                settings=CFG["cytof"]["bead_normalisation"],
                content=content,
                code=code("cytof_normalise_beads"),
            script:
                "../scripts/cytof_normalise_beads.py"

    rule cytof_normalise:
        input:
            fcs=acquired_path,
            baselines=[
                out(f"cytof/normalised/{a}.beads.json") for a in PREPARATION.baseline
            ],
        output:
            fcs=out("cytof/normalised/{acquisition}.fcs"),
            record=out("cytof/normalised/{acquisition}.json"),
            figure=report(
                out("cytof/normalised/{acquisition}.svg"),
                caption="../report/cytof_normalise.rst",
                category="Preparation of mass-cytometry files",
                subcategory="Bead normalisation",
                labels={"file": "{acquisition}"},
            ),
        log:
            out("logs/cytof_normalise/{acquisition}.log"),
        benchmark:
            out("benchmarks/cytof_normalise/{acquisition}.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(800 + 4 * input.size_mb),
            runtime=30,
        params:
            settings=CFG["cytof"]["bead_normalisation"],
            content=content,
            code=code("cytof_normalise"),
        script:
            "../scripts/cytof_normalise.py"


if "debarcoding" in PREPARATION.steps:

    rule cytof_debarcode:
        input:
            fcs=pool_path,
            key=resource(CFG["cytof"]["debarcoding"]["key"]),
        output:
            assignments=out("cytof/debarcoded/{acquisition}.parquet"),
            yields=out("cytof/debarcoded/{acquisition}.yields.parquet"),
            figure=report(
                out("cytof/debarcoded/{acquisition}.svg"),
                caption="../report/cytof_debarcode.rst",
                category="Preparation of mass-cytometry files",
                subcategory="Debarcoding",
                labels={"file": "{acquisition}"},
            ),
        log:
            out("logs/cytof_debarcode/{acquisition}.log"),
        benchmark:
            out("benchmarks/cytof_debarcode/{acquisition}.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(1200 + 6 * input.size_mb),
            runtime=30,
        params:
            samples=lambda wildcards: PREPARATION.samples_in(wildcards.acquisition),
            settings=CFG["cytof"]["debarcoding"],
            seed=CFG["seed"],
            content=content,
            code=code("cytof_debarcode"),
        script:
            "../scripts/cytof_debarcode.py"

    rule cytof_debarcode_split:
        input:
            fcs=pool_path,
            assignments=assignments_path,
        output:
            fcs=out("cytof/debarcoded/{sample}.fcs"),
        log:
            out("logs/cytof_debarcode_split/{sample}.log"),
        benchmark:
            out("benchmarks/cytof_debarcode_split/{sample}.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(800 + 3 * input.size_mb),
            runtime=30,
        params:
            content=content,
            code=code("cytof_debarcode_split"),
        script:
            "../scripts/cytof_debarcode_split.py"


if "spillover" in PREPARATION.steps:

    rule cytof_compensate_matrix:
        input:
            source=resource(
                CFG["cytof"]["spillover"]["single_stains"]
                or CFG["cytof"]["spillover"]["matrix"]
            ),
        output:
            matrix=out("cytof/spillover.csv"),
            figure=report(
                out("cytof/spillover.svg"),
                caption="../report/cytof_compensate_matrix.rst",
                category="Preparation of mass-cytometry files",
                subcategory="Spillover",
                labels={"file": "matrix"},
            ),
        log:
            out("logs/cytof_compensate_matrix.log"),
        benchmark:
            out("benchmarks/cytof_compensate_matrix.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(1000 + 6 * input.size_mb),
            runtime=30,
        params:
            settings=CFG["cytof"]["spillover"],
            content=content,
            code=code("cytof_compensate_matrix"),
        script:
            "../scripts/cytof_compensate_matrix.py"

    rule cytof_compensate:
        input:
            fcs=uncompensated_path,
            matrix=out("cytof/spillover.csv"),
        output:
            fcs=out("cytof/compensated/{sample}.fcs"),
            record=out("cytof/compensated/{sample}.json"),
            figure=report(
                out("cytof/compensated/{sample}.svg"),
                caption="../report/cytof_compensate.rst",
                category="Preparation of mass-cytometry files",
                subcategory="Spillover",
                labels={"file": "{sample}"},
            ),
        log:
            out("logs/cytof_compensate/{sample}.log"),
        benchmark:
            out("benchmarks/cytof_compensate/{sample}.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(1000 + 5 * input.size_mb),
            runtime=30,
        params:
            content=content,
            code=code("cytof_compensate"),
        script:
            "../scripts/cytof_compensate.py"


if PREPARATION.training:

    rule cytof_align_fit:
        input:
            cells=[out(f"cytof/gated/{s}.h5ad") for s in PREPARATION.training],
            samples=out("cohort/samples.parquet"),
        output:
            model=out("cytof/alignment/model.npz"),
        log:
            out("logs/cytof_align_fit.log"),
        benchmark:
            out("benchmarks/cytof_align_fit.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(1500 + 12 * input.size_mb),
            runtime=60,
        params:
            training=list(PREPARATION.training),
            settings=CFG["cytof"]["alignment"],
            seed=CFG["seed"],
            content=content,
            code=code("cytof_align_fit"),
        script:
            "../scripts/cytof_align_fit.py"

    rule cytof_align:
        input:
            cells=out("cytof/gated/{sample}.h5ad"),
            model=out("cytof/alignment/model.npz"),
        output:
            cells=out("cytof/samples/{sample}.h5ad"),
        log:
            out("logs/cytof_align/{sample}.log"),
        benchmark:
            out("benchmarks/cytof_align/{sample}.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, attempt: attempt * 1000,
            runtime=30,
        params:
            batch=lambda wildcards: SAMPLES.at[wildcards.sample, "batch"],
            content=content,
            code=code("cytof_align"),
        script:
            "../scripts/cytof_align.py"

    rule cytof_align_distances:
        input:
            before=[out(f"cytof/gated/{s}.h5ad") for s in samples_of("cytof")],
            after=[out(f"cytof/samples/{s}.h5ad") for s in samples_of("cytof")],
            samples=out("cohort/samples.parquet"),
        output:
            distances=out("cytof/alignment/distances.parquet"),
            summary=out("cytof/alignment/distances.json"),
            figure=report(
                out("cytof/alignment/distances.svg"),
                caption="../report/cytof_align_distances.rst",
                category="Preparation of mass-cytometry files",
                subcategory="Batch alignment",
                labels={"file": "all samples"},
            ),
        log:
            out("logs/cytof_align_distances.log"),
        benchmark:
            out("benchmarks/cytof_align_distances.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(1500 + 12 * input.size_mb),
            runtime=60,
        params:
            samples=samples_of("cytof"),
            settings=CFG["cytof"]["alignment"],
            content=content,
            code=code("cytof_align_distances"),
        script:
            "../scripts/cytof_align_distances.py"
