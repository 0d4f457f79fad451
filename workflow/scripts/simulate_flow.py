from cimlnk.common.job import job
from cimlnk.simulate.flow import simulate_flow

with job(snakemake) as record:
    simulate_flow(
        size=snakemake.params.settings["size"],
        seed=snakemake.params.settings["seed"],
        sample=snakemake.wildcards.sample,
        fcs=snakemake.output.fcs,
        truth=snakemake.output.truth,
        provenance=record,
    )
