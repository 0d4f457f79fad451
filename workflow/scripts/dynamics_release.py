from cimlnk.common.job import job
from cimlnk.dynamics.release.decision import write_release

with job(snakemake) as record:
    write_release(
        samples=snakemake.input.samples,
        summary=snakemake.input.summary,
        functional=snakemake.input.functional,
        bound=snakemake.params.bound,
        output=snakemake.output.release,
        provenance=record,
    )
