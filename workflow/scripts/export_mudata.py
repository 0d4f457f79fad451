from cimlnk.common.job import job
from cimlnk.export.mudata import export_mudata

with job(snakemake, record=False):
    export_mudata(
        modalities=dict(zip(snakemake.params.modalities, snakemake.input.cells, strict=True)),
        output=snakemake.output.cells,
    )
