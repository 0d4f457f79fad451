from cimlnk.common.job import job
from cimlnk.cytof.features import make_features

with job(snakemake) as record:
    make_features(
        cells=snakemake.input.cells,
        sample_names=snakemake.params.samples,
        settings=snakemake.params.settings,
        summary=snakemake.output.summary,
        cell_table=snakemake.output.cells,
        features=snakemake.output.features,
        report=snakemake.output.report,
        lineages=snakemake.output.lineages,
        provenance=record,
        others=snakemake.params.others,
    )
