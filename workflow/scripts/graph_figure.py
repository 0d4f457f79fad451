from cimlnk.common.job import job
from cimlnk.graph.figure import make_figure

with job(snakemake):
    make_figure(
        resolutions=snakemake.input.resolutions,
        report=snakemake.input.report,
        figure=snakemake.output.figure,
    )
