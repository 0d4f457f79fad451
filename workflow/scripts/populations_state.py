from cimlnk.common.job import job
from cimlnk.populations.state import write_state

with job(snakemake) as record:
    write_state(
        sample_files=snakemake.input.samples,
        sheet=snakemake.input.sheet,
        populations=snakemake.input.populations,
        thresholds=snakemake.input.thresholds,
        features=snakemake.params.features,
        state=snakemake.output.state,
        provenance=record,
    )
