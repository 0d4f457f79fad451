from cimlnk.common.job import job
from cimlnk.cytof.gating.pool import make_pool

with job(snakemake) as record:
    make_pool(
        files=dict(zip(snakemake.params.samples, snakemake.input.fcs, strict=True)),
        batches=dict(zip(snakemake.params.samples, snakemake.params.batches, strict=True)),
        panel=snakemake.input.panel,
        gates=snakemake.input.gates,
        output=snakemake.output.pool,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        until=snakemake.params.until,
        provenance=record,
    )
