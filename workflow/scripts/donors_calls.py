"""Donor calls of every barcode, and who the labels are on all days."""

from cimlnk.common.job import job
from cimlnk.donors.run import write_donors

with job(snakemake) as record:
    write_donors(
        rows=snakemake.params.rows,
        places=snakemake.params.files,
        given=snakemake.input.calls,
        persons=snakemake.params.persons,
        references=next(iter(snakemake.input.references), None),
        samples=snakemake.input.samples,
        cells=snakemake.input.cells,
        settings=snakemake.params.settings,
        calls=snakemake.output.calls,
        matches=snakemake.output.matches,
        comparisons=snakemake.output.comparisons,
        provenance=record,
    )
