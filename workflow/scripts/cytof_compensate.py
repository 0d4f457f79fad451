from cimlnk.common.job import job
from cimlnk.cytof.prepare import leave_out
from cimlnk.cytof.spillover.files import compensate_file

results = {"record": snakemake.output.record, "figure": snakemake.output.figure}
with job(snakemake, leave_out=lambda error: leave_out(error, snakemake.output.fcs, **results)) as record:
    compensate_file(
        fcs=snakemake.input.fcs,
        matrix=snakemake.input.matrix,
        compensated=snakemake.output.fcs,
        provenance=record,
        **results,
    )
