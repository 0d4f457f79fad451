from cimlnk.common.job import job
from cimlnk.graph.sample_transfer import make_part

# no record: the features are all samples', and hashing them once per sample would cost more than the transfer
with job(snakemake, record=False):
    make_part(
        features=snakemake.input.features,
        clustered=snakemake.input.clustered,
        picture=snakemake.input.picture,
        part=snakemake.output.part,
        sample=snakemake.wildcards.sample,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
