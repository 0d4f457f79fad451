from cimlnk.common.job import job
from cimlnk.cytof.flow.files import compensate_file, leave_out

results = {"output": snakemake.output.fcs, "record": snakemake.output.record}
with job(snakemake, leave_out=lambda error: leave_out(error, **results)):
    compensate_file(
        fcs=snakemake.input.fcs,
        panel=snakemake.input.panel,
        matrix=snakemake.input.get("matrix") or None,
        settings=snakemake.params.settings,
        **results,
    )
