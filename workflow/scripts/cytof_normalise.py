from cimlnk.common.job import job
from cimlnk.cytof.beads.files import normalise_file
from cimlnk.cytof.prepare import leave_out

results = {"record": snakemake.output.record, "figure": snakemake.output.figure}
with job(snakemake, leave_out=lambda error: leave_out(error, snakemake.output.fcs, **results)) as record:
    normalise_file(
        fcs=snakemake.input.fcs,
        normalised=snakemake.output.fcs,
        settings=snakemake.params.settings,
        baselines=list(snakemake.input.get("baselines", [])),
        provenance=record,
        **results,
    )
