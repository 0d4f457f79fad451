from cimlnk.common.job import job
from cimlnk.export.h5ad import export_h5ad

with job(snakemake) as record:
    export_h5ad(
        modality=snakemake.wildcards.modality,
        samples=snakemake.input.samples,
        cells=snakemake.input.cells,
        populations=snakemake.input.populations,
        umap=snakemake.input.umap,
        features=snakemake.input.features,
        feature_report=snakemake.input.report,
        graph=snakemake.input.graph,
        raw=snakemake.input.raw,
        sheet=snakemake.input.sheet,
        patients=snakemake.input.patients,
        cellxgene=snakemake.params.cellxgene,
        title=snakemake.params.title,
        output=snakemake.output.cells,
        proteins=snakemake.input.proteins or None,
        provenance=record,
    )
