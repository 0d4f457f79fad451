"""Receptor phenotypes, their diversity, distances between samples, donor and time effects."""

from cimlnk.common.job import job
from cimlnk.dynamics.repertoire.run import write_repertoire

with job(snakemake) as record:
    write_repertoire(
        sample_files=snakemake.input.cells,
        thresholds=snakemake.input.thresholds,
        samples=snakemake.input.samples,
        abundance=snakemake.input.abundance,
        settings=snakemake.params.settings,
        modality=snakemake.params.modality,
        seed=snakemake.params.seed,
        repertoire=snakemake.output.repertoire,
        diversities=snakemake.output.diversities,
        distances=snakemake.output.distances,
        tests=snakemake.output.tests,
        provenance=record,
    )
