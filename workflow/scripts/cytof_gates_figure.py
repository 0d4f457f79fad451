from cimlnk.common.job import job
from cimlnk.cytof.gating.figure import draw_all

# what is drawn says nothing that the tables of the gates do not: no record of its own
with job(snakemake, record=False):
    draw_all(snakemake.input.pictures, snakemake.output.figures)
