from pathlib import Path

from cimlnk.common.job import job
from cimlnk.export.workbook import write_workbook

with job(snakemake, record=False):
    write_workbook(
        root=Path(snakemake.output.book).parents[1],
        files=list(snakemake.input),
        title=snakemake.params.title,
        output=snakemake.output.book,
    )
