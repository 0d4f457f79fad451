"""Fractions, cells per microlitre and folds of every population."""

from cimlnk.common.job import job
from cimlnk.dynamics.abundance.run import write_abundance

with job(snakemake) as record:
    write_abundance(
        snakemake.input.populations,
        snakemake.input.summaries,
        snakemake.params.modalities,
        samples=snakemake.input.samples,
        counts=snakemake.input.counts,
        patients=snakemake.input.patients,
        baseline_timepoint=snakemake.params.baseline_timepoint,
        uncertainty=snakemake.params.uncertainty,
        few_cells=snakemake.params.few_cells,
        abundance=snakemake.output.abundance,
        folds=snakemake.output.folds,
        provenance=record,
        rna_suspension=snakemake.params.rna_suspension,
    )
