from cimlnk.common.job import job
from cimlnk.rna.cells import leave_out, make_cells
from cimlnk.rna.folder import source_of

sample, files = snakemake.wildcards.sample, snakemake.output
given = snakemake.input
beside = {"counts": given.antibodies, "empty": given.empty, "hashtags": given.hashtags}
results = {"output": files.cells, "gates": files.gates, "proteins": files.proteins}
with job(snakemake, leave_out=lambda error: leave_out(error, sample=sample, **results)) as record:
    make_cells(
        raw=source_of(snakemake.input.raw),
        sample=sample,
        lineages=snakemake.input.lineages,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        tissue=snakemake.params.tissue,
        antibodies={k: source_of(v) for k, v in beside.items() if v} | snakemake.params.hashtag,
        provenance=record,
        **results,
    )
