from cimlnk.claims.evaluate import write_claims
from cimlnk.common.job import job

with job(snakemake) as record:
    write_claims(
        tables={k: v for k, v in snakemake.input.items() if k not in ("definitions", "panel")},
        definitions=snakemake.input.definitions,
        settings=snakemake.params.settings,
        infused=snakemake.params.infused,
        baseline=snakemake.params.baseline,
        panel=snakemake.input.get("panel") or None,
        seed=snakemake.params.seed,
        output=snakemake.output.claims,
        provenance=record,
    )
