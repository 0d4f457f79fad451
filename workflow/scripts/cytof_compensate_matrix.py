from cimlnk.common.job import job
from cimlnk.cytof.spillover.files import make_matrix

with job(snakemake):
    make_matrix(
        source=snakemake.input.source,
        matrix=snakemake.output.matrix,
        figure=snakemake.output.figure,
        settings=snakemake.params.settings,
    )
