from cimlnk.claims.evaluate import write_claims
from cimlnk.common.job import job

with job(snakemake) as record:
    write_claims(
        tables={k: v for k, v in snakemake.input.items() if k != "definitions"},
        definitions=snakemake.input.definitions,
        settings=snakemake.params.settings,
        infused=snakemake.params.infused,
        seed=snakemake.params.seed,
        output=snakemake.output.claims,
        provenance=record,
    )
