"""Shares of donor and recipient, their NK cells per microlitre, kinetics and tests."""

from cimlnk.common.job import job
from cimlnk.dynamics.chimerism.run import write_chimerism

with job(snakemake) as record:
    write_chimerism(
        **dict(snakemake.input.items()),
        design=snakemake.params.design,
        uncertainty=snakemake.params.uncertainty,
        baseline_timepoint=snakemake.params.baseline_timepoint,
        settings=snakemake.params.settings,
        reference_arm=snakemake.params.reference_arm,
        min_patients=snakemake.params.min_patients,
        seed=snakemake.params.seed,
        **dict(snakemake.output.items()),
        provenance=record,
    )
