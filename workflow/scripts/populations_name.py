from cimlnk.common.job import job
from cimlnk.populations.name import write_populations

with job(snakemake) as record:
    write_populations(
        samples=snakemake.input.samples,
        sheet=snakemake.input.sheet,
        cells=snakemake.input.cells,
        clusters=snakemake.input.clusters,
        support=snakemake.input.support,
        graph=snakemake.input.graph,
        matrix=snakemake.input.features,
        reference=snakemake.input.get("reference") or None,
        definitions=snakemake.input.definitions,
        modality=snakemake.wildcards.modality,
        settings=snakemake.params.settings,
        annotation=snakemake.output.annotation,
        populations=snakemake.output.populations,
        profiles=snakemake.output.profiles,
        thresholds=snakemake.output.thresholds,
        overridden=snakemake.output.overridden,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        provenance=record,
    )
