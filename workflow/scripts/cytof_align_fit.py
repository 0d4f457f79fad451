from cimlnk.common.job import job
from cimlnk.common.tables import read_table
from cimlnk.cytof.alignment.files import fit_files

with job(snakemake, record=False):
    fit_files(
        files=dict(zip(snakemake.params.training, snakemake.input.cells, strict=True)),
        samples=read_table(snakemake.input.samples).set_index("sample", drop=False),
        model=snakemake.output.model,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
    )
