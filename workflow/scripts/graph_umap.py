from cimlnk.common.job import job
from cimlnk.graph.files import make_umap

with job(snakemake) as record:
    make_umap(
        features=snakemake.input.features,
        cells=snakemake.input.cells,
        graph=snakemake.input.graph,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        provenance=record,
        **dict(snakemake.output.items()),  # the table, or with transfer: per_sample what it is made from
    )
