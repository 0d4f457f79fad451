from cimlnk.common.job import job
from cimlnk.cytof.beads.files import leave_out_beads, measure_beads

baseline = snakemake.output.baseline
with job(snakemake, leave_out=lambda error: leave_out_beads(error, baseline)) as record:
    measure_beads(
        fcs=snakemake.input.fcs,
        baseline=baseline,
        settings=snakemake.params.settings,
        provenance=record,
    )
