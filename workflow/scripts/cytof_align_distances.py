from cimlnk.common.job import job
from cimlnk.common.tables import read_table
from cimlnk.cytof.alignment.files import compare_files

names = snakemake.params.samples
with job(snakemake) as record:
    compare_files(
        before=dict(zip(names, snakemake.input.before, strict=True)),
        after=dict(zip(names, snakemake.input.after, strict=True)),
        samples=read_table(snakemake.input.samples).set_index("sample", drop=False),
        distances=snakemake.output.distances,
        summary=snakemake.output.summary,
        figure=snakemake.output.figure,
        settings=snakemake.params.settings,
        provenance=record,
    )
