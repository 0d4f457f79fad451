from cimlnk.cohort.download import download
from cimlnk.common.job import job

with job(snakemake):
    settings = snakemake.params.settings
    download(
        url=snakemake.params.url,
        target=snakemake.output.file,
        sha256=snakemake.params.sha256,
        file=settings["samples"],
        where=f"column path of {snakemake.wildcards.download}",
        timeout=settings["download_timeout"],
        retries=settings["download_retries"],
        most=int(settings["download_most_gb"] * 1e9),
    )
