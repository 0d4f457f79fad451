from cimlnk.common.job import job
from cimlnk.rna.features import make_features

with job(snakemake) as record:
    make_features(
        cells=snakemake.input.cells,
        samples=snakemake.input.samples,
        lineages=snakemake.input.lineages,
        definitions=snakemake.input.definitions,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        summary=snakemake.output.summary,
        cell_table=snakemake.output.cells,
        features=snakemake.output.features,
        report=snakemake.output.report,
        provenance=record,
        others=snakemake.params.others,
    )
