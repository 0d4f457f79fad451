from pathlib import Path

from cimlnk.common.job import job
from cimlnk.simulate.rna import simulate_rna

matrix = snakemake.output.get("matrix")
with job(snakemake) as record:
    simulate_rna(
        size=snakemake.params.settings["size"],
        seed=snakemake.params.settings["seed"],
        sample=snakemake.wildcards.sample,
        truth=snakemake.output.truth,
        folder=matrix and Path(matrix).parent,
        h5=snakemake.output.get("h5"),
        provenance=record,
    )
