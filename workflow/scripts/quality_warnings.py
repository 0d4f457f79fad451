from pathlib import Path

from cimlnk.common.job import job
from cimlnk.front.warnings import write_warnings

with job(snakemake) as record:
    write_warnings(
        root=Path(snakemake.output.warnings).parents[1],
        files=snakemake.input,
        baseline=snakemake.params.baseline,
        output=snakemake.output.warnings,
        availability=snakemake.output.availability,
        provenance=record,
    )
