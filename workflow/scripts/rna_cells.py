from cimlnk.common.job import job
from cimlnk.rna.cells import leave_out, make_cells
from cimlnk.rna.folder import source_of

sample, results = snakemake.wildcards.sample, {"output": snakemake.output.cells, "gates": snakemake.output.gates}
with job(snakemake, leave_out=lambda error: leave_out(error, sample=sample, **results)) as record:
    make_cells(
        raw=source_of(snakemake.input.raw),
        sample=sample,
        lineages=snakemake.input.lineages,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        tissue=snakemake.params.tissue,
        provenance=record,
        **results,
    )
