from cimlnk.common.job import job
from cimlnk.cytof.cells import leave_out, make_cells

results = {"output": snakemake.output.cells} | {k: snakemake.output[k] for k in ("gates", "gatingml", "picture")}
with job(snakemake, leave_out=lambda error: leave_out(error, **results)) as record:
    make_cells(
        fcs=snakemake.input.fcs,
        sample=snakemake.wildcards.sample,
        batch=snakemake.params.batch,
        panel=snakemake.input.panel,
        gate_file=snakemake.input.gates,
        pool=snakemake.input.pool,
        lineages=snakemake.input.get("lineages"),
        acquired=snakemake.input.get("acquired") or None,
        by_hand=snakemake.params.by_hand,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        least_lymphocytes=snakemake.params.least_lymphocytes,
        provenance=record,
        **results,
    )
