from cimlnk.common.job import job
from cimlnk.graph.files import make_umap

with job(snakemake) as record:
    make_umap(
        features=snakemake.input.features,
        cells=snakemake.input.cells,
        graph=snakemake.input.graph,
        umap=snakemake.output.umap,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        provenance=record,
    )
