from cimlnk.common.job import job
from cimlnk.export.exposure import write_pharmacology

with job(snakemake) as record:
    write_pharmacology(
        abundance=snakemake.input.abundance,
        folds=snakemake.input.folds,
        kinetics=snakemake.input.kinetics,
        patients=snakemake.input.patients,
        counts=snakemake.input.counts,
        outcomes=snakemake.params.outcomes,
        seed=snakemake.params.seed,
        exposure=snakemake.output.exposure,
        outcome_tests=snakemake.output.outcomes,
        nonmem=snakemake.output.nonmem,
        nonmem_key=snakemake.output.key,
        provenance=record,
    )
