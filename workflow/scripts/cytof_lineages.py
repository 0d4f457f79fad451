from cimlnk.common.job import job
from cimlnk.cytof.lineages import make_lineages

with job(snakemake) as record:
    make_lineages(
        files=dict(zip(snakemake.params.samples, snakemake.input.fcs, strict=True)),
        batches=dict(zip(snakemake.params.samples, snakemake.params.batches, strict=True)),
        panel=snakemake.input.panel,
        gate_file=snakemake.input.gates,
        pool=snakemake.input.pool,
        output=snakemake.output.lineages,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        provenance=record,
    )
