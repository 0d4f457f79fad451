"""Differential abundance of neighbourhoods on the graph."""

from cimlnk.common.job import job
from cimlnk.dynamics.neighbourhoods.run import write_neighbourhoods

with job(snakemake) as record:
    write_neighbourhoods(
        modalities=snakemake.params.modalities,
        features=snakemake.input.features,
        graphs=snakemake.input.graphs,
        cells=snakemake.input.cells,
        populations=snakemake.input.populations,
        umaps=snakemake.input.umaps,
        samples=snakemake.input.samples,
        settings=snakemake.params.settings,
        state_settings=snakemake.params.state,
        seed=snakemake.params.seed,
        output=snakemake.output.neighbourhoods,
        provenance=record,
    )
