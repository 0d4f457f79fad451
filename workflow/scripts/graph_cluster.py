from cimlnk.common.job import job
from cimlnk.graph.files import make_clusters

with job(snakemake) as record:
    make_clusters(
        features=snakemake.input.features,
        cells=snakemake.input.cells,
        graph=snakemake.input.graph,
        clusters=snakemake.output.clusters,
        resolutions=snakemake.output.resolutions,
        support=snakemake.output.support,
        report=snakemake.output.report,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        provenance=record,
    )
