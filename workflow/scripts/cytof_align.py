from cimlnk.common.job import job
from cimlnk.cytof.alignment.files import align_file

with job(snakemake) as record:
    align_file(
        cells=snakemake.input.cells,
        model=snakemake.input.model,
        aligned=snakemake.output.cells,
        batch=snakemake.params.batch,
        provenance=record,
    )
