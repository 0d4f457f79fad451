from cimlnk.common.job import job
from cimlnk.cytof.flow.panel import make_panel

with job(snakemake) as record:
    make_panel(
        files=dict(zip(snakemake.params.samples, snakemake.input.fcs, strict=True)),
        panel=snakemake.input.panel,
        output=snakemake.output.panel,
        cofactors=snakemake.output.cofactors,
        seed=snakemake.params.seed,
        provenance=record,
    )
