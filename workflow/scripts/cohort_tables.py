from cimlnk.cohort.save import save_cohort
from cimlnk.common.job import job
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.panel import match_panel

with job(snakemake) as record:
    warnings = save_cohort(
        cfg=snakemake.params.settings,
        base=".",
        samples=snakemake.output.samples,
        counts=snakemake.output.counts,
        patients=snakemake.output.patients,
        design=snakemake.output.design,
        functional=snakemake.output.functional,
        panel=snakemake.output.panel,
        check_fcs=lambda path, panel: match_panel(read_header(path), panel),
        provenance=record,
    )
    for warning in warnings:
        print(f"cimlnk: note: {warning}")
