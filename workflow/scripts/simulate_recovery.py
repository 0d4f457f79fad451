from cimlnk.common.job import job
from cimlnk.simulate.recovery import make_recovery

with job(snakemake) as record:
    modalities, source = snakemake.params.modalities, snakemake.input
    make_recovery(
        truth_cells=dict(zip(modalities, source.cells, strict=True)),
        truth_abundance=source.truth,
        populations=dict(zip(modalities, source.populations, strict=True)),
        summaries=dict(zip(modalities, source.summaries, strict=True)),
        abundance=source.abundance,
        folds=source.folds,
        recovery=snakemake.output.recovery,
        cases=snakemake.output.cases,
        provenance=record,
    )
