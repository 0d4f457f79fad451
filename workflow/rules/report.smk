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
