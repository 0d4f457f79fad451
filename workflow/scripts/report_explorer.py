from cimlnk.common.job import job
from cimlnk.report.explorer.build import write_explorer

with job(snakemake, record=False):
    write_explorer(
        modalities={
            m: {n: snakemake.input[f"{m}_{n}"] for n in ("files", "cells", "populations", "umap", "profiles")}
            for m in snakemake.params.modalities
        },
        samples=snakemake.input.sheet,
        abundance=snakemake.input.abundance,
        title=snakemake.params.title,
        output=snakemake.output.page,
    )
