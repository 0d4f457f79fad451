"""Differential expression of pseudobulks and scores of gene sets."""

from cimlnk.common.job import job
from cimlnk.dynamics.expression.run import write_expression

with job(snakemake) as record:
    write_expression(
        pseudobulk=snakemake.input.pseudobulk,
        samples=snakemake.input.samples,
        signatures=snakemake.input.signatures,
        settings=snakemake.params.settings,
        state_settings=snakemake.params.state,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        expression=snakemake.output.expression,
        programmes=snakemake.output.signatures,
        score_table=snakemake.output.scores,
        provenance=record,
    )
