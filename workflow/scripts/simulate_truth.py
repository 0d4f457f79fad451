from cimlnk.common.job import job
from cimlnk.simulate.truth import write_truth

with job(snakemake) as record:
    write_truth(
        size=snakemake.params.settings["size"],
        seed=snakemake.params.settings["seed"],
        cohort=snakemake.params.cohort,
        sheets={name: snakemake.input[name] for name in ("samples", "counts", "patients")},
        cytof=snakemake.input.cytof,
        flow=snakemake.input.flow,
        rna=snakemake.input.rna,
        output=dict(snakemake.output.items()),
        provenance=record,
    )
