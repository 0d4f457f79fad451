from pathlib import Path

from cimlnk.common.job import job
from cimlnk.report.site import write_site

with job(snakemake):
    write_site(
        root=Path(snakemake.output.site).parent,
        files=[f for f in snakemake.input if Path(f).is_file()],
        config=snakemake.params.config,
        output=snakemake.output.site,
    )
