from cimlnk.common.job import job
from cimlnk.cytof.export import export_fcs

with job(snakemake) as record:
    export_fcs(
        fcs=snakemake.input.fcs,
        cells=snakemake.input.cells,
        populations=snakemake.input.populations,
        umap=snakemake.input.umap,
        output=snakemake.output.fcs,
        provenance=record,
    )
