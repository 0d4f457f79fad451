"""Diversity of the populations of every sample."""

from cimlnk.common.job import job
from cimlnk.dynamics.abundance.run_diversity import write_diversity

with job(snakemake) as record:
    write_diversity(
        snakemake.input.abundance,
        snakemake.params.settings,
        snakemake.params.seed,
        diversity=snakemake.output.diversity,
        provenance=record,
    )
