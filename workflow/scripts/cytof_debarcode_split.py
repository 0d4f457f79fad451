from cimlnk.common.job import job
from cimlnk.cytof.barcodes.files import split_file

with job(snakemake):
    split_file(
        fcs=snakemake.input.fcs,
        assignments=snakemake.input.assignments,
        sample=snakemake.wildcards.sample,
        separate=snakemake.output.fcs,
    )
