"""Differential abundance, the scale it holds on, and what this many patients can show."""

from cimlnk.common.job import job
from cimlnk.dynamics.abundance.run_tests import write_tests

with job(snakemake) as record:
    write_tests(
        snakemake.input.abundance,
        snakemake.input.samples,
        snakemake.input.patients,
        baseline_timepoint=snakemake.params.baseline_timepoint,
        settings=snakemake.params.settings,
        reference_arm=snakemake.params.reference_arm,
        min_patients=snakemake.params.min_patients,
        seed=snakemake.params.seed,
        tests=snakemake.output.tests,
        scales=snakemake.output.scales,
        power=snakemake.output.power,
        provenance=record,
    )
