rule report_explorer:
    input:
        unpack(explorer_files),
        sheet=out("cohort/samples.parquet"),
        abundance=out("dynamics/abundance.parquet"),
    output:
        page=out("export/explorer.html"),
    log:
        out("logs/report_explorer.log"),
    benchmark:
        out("benchmarks/report_explorer.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=lambda wildcards, input, attempt: attempt * int(1500 + input.size_mb),
        runtime=20,
    params:
        modalities=MODALITIES,
        title=CFG["cohort"]["title"] or CFG["cohort"]["id"],
        code=code("report_explorer"),
        template=[
            file_digest(f"workflow/cimlnk/report/explorer/{name}")
            for name in ("page.html", "explorer.js")
        ],
    script:
        "../scripts/report_explorer.py"


rule report_clinicians:
    input:
        clinician_tables,
    output:
        summary=report(
            out("export/summary.pdf"),
            caption="../report/report_clinicians.rst",
            category="Site",
            labels={"what": "summary for clinicians"},
        ),
        patients=report(
            out("export/patients.pdf"),
            caption="../report/report_clinicians.rst",
            category="Site",
            labels={"what": "one page per patient"},
        ),
    log:
        out("logs/report_clinicians.log"),
    benchmark:
        out("benchmarks/report_clinicians.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=15,
    params:
        config=CFG,
        code=code("report_clinicians"),
    script:
        "../scripts/report_clinicians.py"


rule report_site:
    input:
        report_tables,
    output:
        site=report(
            directory(out("report")),
            htmlindex="index.html",
            caption="../report/report_site.rst",
            category="Site",
            labels={"what": "the whole site"},
        ),
    log:
        out("logs/report_site.log"),
    benchmark:
        out("benchmarks/report_site.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        config=CFG,
        code=code("report_site"),
        template=file_digest("workflow/cimlnk/report/templates/page.html"),
    script:
        "../scripts/report_site.py"
