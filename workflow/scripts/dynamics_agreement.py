"""Agreement of the modalities."""

from cimlnk.common.job import job
from cimlnk.dynamics.agreement.run import write_agreement

with job(snakemake) as record:
    write_agreement(
        abundance=snakemake.input.abundance,
        folds=snakemake.input.folds,
        states=snakemake.input.states,
        modalities=snakemake.params.modalities,
        samples=snakemake.input.samples,
        proteins=snakemake.input.proteins or None,
        refines=snakemake.params.refines,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        table=snakemake.output.table,
        pairs=snakemake.output.pairs,
        provenance=record,
    )
