from cimlnk.common.job import job
from cimlnk.graph.files import make_graph

with job(snakemake) as record:
    make_graph(
        features=snakemake.input.features,
        graph=snakemake.output.graph,
        report=snakemake.output.report,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        provenance=record,
    )
