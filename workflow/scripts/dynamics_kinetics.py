"""Peak, persistence, doubling time and half-life of every patient and population."""

from cimlnk.common.job import job
from cimlnk.dynamics.kinetics.run import write_kinetics

with job(snakemake) as record:
    write_kinetics(
        snakemake.input.abundance,
        snakemake.input.folds,
        snakemake.input.counts,
        baseline_timepoint=snakemake.params.baseline_timepoint,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        kinetics=snakemake.output.kinetics,
        curves=snakemake.output.curves,
        provenance=record,
    )
