from cimlnk.common.job import job
from cimlnk.export.cytometry import export_cytometry

with job(snakemake, record=False):
    export_cytometry(
        samples=snakemake.params.samples,
        fcs=snakemake.input.fcs,
        cells=snakemake.input.cells,
        gates=snakemake.input.gates,
        populations=snakemake.input.populations,
        umap=snakemake.input.umap,
        folder=snakemake.output.folder,
        workspace=snakemake.output.workspace,
        provenance={"rule": snakemake.rule},
    )
