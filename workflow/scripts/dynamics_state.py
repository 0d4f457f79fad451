"""Tests of marker and gene state within patients."""

from cimlnk.common.job import job
from cimlnk.dynamics.state.run import write_state_tests

with job(snakemake) as record:
    write_state_tests(
        states=snakemake.input.states,
        modalities=snakemake.params.modalities,
        samples=snakemake.input.samples,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        tests=snakemake.output.tests,
        provenance=record,
    )
