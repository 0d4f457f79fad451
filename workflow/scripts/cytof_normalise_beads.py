from cimlnk.common.job import job
from cimlnk.cytof.beads.files import measure_beads

with job(snakemake) as record:
    measure_beads(
        fcs=snakemake.input.fcs,
        baseline=snakemake.output.baseline,
        settings=snakemake.params.settings,
        provenance=record,
    )
