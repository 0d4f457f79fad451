from cimlnk.common.job import job
from cimlnk.simulate.cytof import simulate_cytof

with job(snakemake) as record:
    simulate_cytof(
        size=snakemake.params.settings["size"],
        seed=snakemake.params.settings["seed"],
        sample=snakemake.wildcards.sample,
        fcs=snakemake.output.fcs,
        truth=snakemake.output.truth,
        provenance=record,
    )
