from pathlib import Path

from cimlnk.cohort.save import save_cohort
from cimlnk.common.job import job
from cimlnk.cytof.fcs import read_header

with job(snakemake) as record:
    warnings = save_cohort(
        cfg=snakemake.params.settings,
        base=Path(snakemake.scriptdir).resolve().parents[1],
        samples=snakemake.output.samples,
        counts=snakemake.output.counts,
        patients=snakemake.output.patients,
        design=snakemake.output.design,
        read_header=read_header,
        provenance=record,
    )
    for warning in warnings:
        print(f"cimlnk: note: {warning}")
