rule export_h5ad:
    input:
        samples=sample_files,
        cells=out("{modality}/cells.parquet"),
        populations=out("{modality}/populations.parquet"),
        umap=out("{modality}/umap.parquet"),
        features=out("{modality}/features.npy"),
        report=out("{modality}/features.json"),
        graph=out("{modality}/graph.npz"),
        raw=first_raw_files,
        sheet=out("cohort/samples.parquet"),
        patients=out("cohort/patients.parquet"),
        proteins=lambda wildcards: (
            out("adt/proteins.h5ad") if wildcards.modality == "rna" else []
        ),
    output:
        cells=out("export/{modality}.h5ad"),
    log:
        out("logs/export_h5ad/{modality}.log"),
    benchmark:
        out("benchmarks/export_h5ad/{modality}.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        # the graph and the table of the cells are held, of the matrices a piece
        mem_mb=lambda wildcards, input, attempt: attempt
        * int(1000 + 3 * megabytes(input.graph)),
        runtime=30,
    params:
        cellxgene=CFG["export"]["cellxgene"],
        title=CFG["cohort"]["title"] or CFG["cohort"]["id"],
        code=code("export_h5ad"),
    script:
        "../scripts/export_h5ad.py"


rule export_mudata:
    input:
        cells=[out(f"export/{m}.h5ad") for m in MODALITIES]
        + [out("adt/proteins.h5ad")] * ("rna" in MODALITIES),
    output:
        cells=out("export/cohort.h5mu"),
    log:
        out("logs/export_mudata.log"),
    benchmark:
        out("benchmarks/export_mudata.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt * 2000,
        runtime=30,
    params:
        modalities=[*MODALITIES, *["adt"] * ("rna" in MODALITIES)],
        code=code("export_mudata"),
    script:
        "../scripts/export_mudata.py"


rule export_pharmacology:
    input:
        abundance=out("dynamics/abundance.parquet"),
        folds=out("dynamics/folds.parquet"),
        kinetics=out("dynamics/kinetics.parquet"),
        patients=out("cohort/patients.parquet"),
        counts=out("cohort/counts.parquet"),
    output:
        exposure=out("export/exposure.parquet"),
        outcomes=out("export/outcomes.parquet"),
        nonmem=out("export/nonmem.csv"),
        key=out("export/nonmem_key.csv"),
    log:
        out("logs/export_pharmacology.log"),
    benchmark:
        out("benchmarks/export_pharmacology.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        outcomes=CFG["export"]["outcomes"],
        seed=CFG["seed"],
        code=code("export_pharmacology"),
    script:
        "../scripts/export_pharmacology.py"


rule export_workbook:
    input:
        workbook_tables,
    output:
        book=out("export/cohort.xlsx"),
    log:
        out("logs/export_workbook.log"),
    benchmark:
        out("benchmarks/export_workbook.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        title=CFG["cohort"]["title"] or CFG["cohort"]["id"],
        code=code("export_workbook"),
    script:
        "../scripts/export_workbook.py"


# Of a cohort with both kinds of cytometry the mass cytometry files, and the flow cytometry files in a folder of theirs.
if PROTEIN:

    rule export_cytometry:
        input:
            fcs=[prepared_file(s) for s in samples_of(PROTEIN)],
            cells=[out(f"{PROTEIN}/samples/{s}.h5ad") for s in samples_of(PROTEIN)],
            gates=[out(f"{PROTEIN}/gates/{s}.xml") for s in samples_of(PROTEIN)],
            populations=out(f"{PROTEIN}/populations.parquet"),
            umap=out(f"{PROTEIN}/umap.parquet"),
        output:
            folder=directory(out("export/fcs")),
            workspace=out("export/workspace.wsp"),
        log:
            out("logs/export_cytometry.log"),
        benchmark:
            out("benchmarks/export_cytometry.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            mem_mb=lambda wildcards, input, attempt: attempt
            * int(1500 + 5 * max(map(megabytes, input.fcs), default=0)),
            runtime=60,
        params:
            samples=samples_of(PROTEIN),
            code=code("export_cytometry"),
        script:
            "../scripts/export_cytometry.py"

    if len(CYTOMETRY) == 2:

        use rule export_cytometry as export_flow with:
            input:
                fcs=[prepared_file(s) for s in samples_of("flow")],
                cells=[out(f"flow/samples/{s}.h5ad") for s in samples_of("flow")],
                gates=[out(f"flow/gates/{s}.xml") for s in samples_of("flow")],
                populations=out("flow/populations.parquet"),
                umap=out("flow/umap.parquet"),
            output:
                folder=directory(out("export/flow/fcs")),
                workspace=out("export/flow/workspace.wsp"),
            log:
                out("logs/export_flow.log"),
            benchmark:
                out("benchmarks/export_flow.tsv")
            params:
                samples=samples_of("flow"),
                code=code("export_cytometry"),
