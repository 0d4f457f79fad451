from pathlib import Path

from cimlnk.common.job import job
from cimlnk.report.clinicians.write import write_clinicians

with job(snakemake, record=False):
    write_clinicians(
        root=Path(snakemake.output.summary).parents[1],
        files=list(snakemake.input),
        config=snakemake.params.config,
        summary=snakemake.output.summary,
        patients=snakemake.output.patients,
    )
