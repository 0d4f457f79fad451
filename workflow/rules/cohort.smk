from cimlnk.cohort.overrides import excluded_samples
from cimlnk.cohort.save import sheet_settings

LEAVES_OUT = bool(excluded_samples(COHORT.overrides))


rule cohort_tables:
    input:
        sheets=[
            resource(CFG["cohort"][sheet])
            for sheet in (
                "samples",
                "counts",
                "patients",
                "panel",
                "functional",
                *["overrides"] * LEAVES_OUT,
            )
            if CFG["cohort"][sheet] is not None
        ]
        + [
            resource(f)
            for f in (CFG["rna"]["antibodies"], CFG["flow"]["panel"])
            if f is not None
        ],
    output:
        samples=out("cohort/samples.parquet"),
        counts=out("cohort/counts.parquet"),
        patients=out("cohort/patients.parquet"),
        design=out("cohort/design.json"),
        functional=out("cohort/functional.parquet"),
        panel=out("cohort/panel.parquet"),
    log:
        out("logs/cohort_tables/all.log"),
    benchmark:
        out("benchmarks/cohort_tables/all.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=sheet_settings(CFG, LEAVES_OUT),
        content=content,
        code=code("cohort_tables"),
    script:
        "../scripts/cohort_tables.py"


localrules:
    cohort_download,


# `update`: the verified file of an earlier run is kept and looked at, not deleted and fetched again.
rule cohort_download:
    output:
        file=update(f"data/{CFG['cohort']['id']}/download/{{download}}"),
    log:
        out("logs/cohort_download/{download}.log"),
    benchmark:
        out("benchmarks/cohort_download/{download}.tsv")
    wildcard_constraints:
        download="|".join(map(re.escape, sorted(COHORT.downloads))) or "none",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=600,
    params:
        url=lambda wildcards: COHORT.downloads[wildcards.download].url,
        sha256=lambda wildcards: COHORT.downloads[wildcards.download].sha256,
        settings={
            key: CFG["cohort"][key]
            for key in (
                "samples",
                "download_timeout",
                "download_retries",
                "download_most_gb",
            )
        },
        content=content,
        code=code("cohort_download"),
    script:
        "../scripts/cohort_download.py"
