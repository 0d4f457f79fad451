from cimlnk.adt.run import name_proteins
from cimlnk.common.job import job

with job(snakemake) as record:
    name_proteins(
        files=list(snakemake.input.proteins),
        sheet=snakemake.input.sheet,
        populations=snakemake.input.populations,
        definitions=snakemake.input.definitions,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        provenance=record,
        **dict(snakemake.output.items()),
    )
