from cimlnk.claims.evaluate import write_claims
from cimlnk.common.job import job

with job(snakemake) as record:
    write_claims(
        tables=dict(snakemake.input.items()),
        definitions=snakemake.params.definitions,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        output=snakemake.output.claims,
        provenance=record,
    )
