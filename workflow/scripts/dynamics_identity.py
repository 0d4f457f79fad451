"""Identity of clusters over time, its events, and the ancestry of the subsets."""

from cimlnk.common.job import job
from cimlnk.dynamics.identity.run import SCHEMAS, write_identity

with job(snakemake) as record:
    write_identity(
        modalities=snakemake.params.modalities,
        features=snakemake.input.features,
        cells=snakemake.input.cells,
        populations=snakemake.input.populations,
        abundance=snakemake.input.abundance,
        samples=snakemake.input.samples,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        outputs={name: snakemake.output[name] for name in SCHEMAS},
        provenance=record,
    )
