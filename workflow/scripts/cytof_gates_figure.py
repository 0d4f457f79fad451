from cimlnk.common.job import job
from cimlnk.cytof.gating.figure import draw_gates, draw_left_out

with job(snakemake, leave_out=lambda error: draw_left_out(snakemake.output.figure, str(error))):
    draw_gates(
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
        path=snakemake.output.figure,
    )
