from cimlnk.common.job import job
from cimlnk.cytof.barcodes.files import debarcode_file

with job(snakemake) as record:
    debarcode_file(
        fcs=snakemake.input.fcs,
        key=snakemake.input.key,
        assignments=snakemake.output.assignments,
        yields=snakemake.output.yields,
        figure=snakemake.output.figure,
        settings=snakemake.params.settings,
        pool=snakemake.wildcards.acquisition,
        samples=snakemake.params.samples,
        seed=snakemake.params.seed,
        provenance=record,
    )
