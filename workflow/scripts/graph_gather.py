from cimlnk.common.job import job
from cimlnk.graph.sample_transfer import gather

# no record: the tables carry those of the clustering and of the picture, as they do without this step
with job(snakemake, record=False):
    gather(
        clustered=snakemake.input.clustered,
        picture=snakemake.input.picture,
        parts=snakemake.input.parts,
        cells=snakemake.input.cells,
        clusters=snakemake.output.clusters,
        resolutions=snakemake.output.resolutions,
        support=snakemake.output.support,
        report=snakemake.output.report,
        umap=snakemake.output.umap,
    )
