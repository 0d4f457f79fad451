from cimlnk.common.job import job
from cimlnk.simulate.difficulty import make_difficulty

with job(snakemake) as record:
    modalities, source = snakemake.params.modalities, snakemake.input
    make_difficulty(
        samples=list(source.samples),
        names=snakemake.params.names,
        truth_cells=dict(zip(modalities, source.cells, strict=True)),
        populations=dict(zip(modalities, source.populations, strict=True)),
        sheet=source.sheet,
        panel=source.get("panel") or None,
        flow_panel=source.get("flow_panel") or None,
        output=snakemake.output.difficulty,
        seed=snakemake.params.seed,
        provenance=record,
    )
