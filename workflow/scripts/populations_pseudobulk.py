from cimlnk.common.job import job
from cimlnk.populations.pseudobulk import write_pseudobulk

with job(snakemake) as record:
    write_pseudobulk(
        sample_files=snakemake.input.samples,
        populations=snakemake.input.populations,
        output=snakemake.output.pseudobulk,
        provenance=record,
    )
