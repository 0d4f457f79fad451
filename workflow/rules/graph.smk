rule graph_neighbors:
    input:
        features=out("{modality}/features.npy"),
    output:
        graph=out("{modality}/graph.npz"),
        report=out("{modality}/graph.json"),
    log:
        out("logs/graph_neighbors/{modality}.log"),
    benchmark:
        out("benchmarks/graph_neighbors/{modality}.tsv")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=lambda wildcards, input, attempt: 1000
        + attempt * int(10 * graph_megabytes(input.features)),
        runtime=60,
    params:
        settings=GRAPH_SETTINGS,
        seed=CFG["seed"],
        code=code("graph_neighbors"),
    script:
        "../scripts/graph_neighbors.py"


rule graph_cluster:
    input:
        features=out("{modality}/features.npy"),
        cells=out("{modality}/cells.parquet"),
        graph=out("{modality}/graph.npz"),
    output:
        **GRAPH_TABLES,
    log:
        out("logs/graph_cluster/{modality}.log"),
    benchmark:
        out("benchmarks/graph_cluster/{modality}.tsv")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=lambda wildcards, input, attempt: 1500
        + attempt * int(8 * graph_input_megabytes(input)),
        runtime=120,
    params:
        settings=GRAPH_SETTINGS,
        seed=CFG["seed"],
        code=code("graph_cluster"),
    script:
        "../scripts/graph_cluster.py"


rule graph_umap:
    input:
        features=out("{modality}/features.npy"),
        cells=out("{modality}/cells.parquet"),
        graph=out("{modality}/graph.npz"),
    output:
        **GRAPH_PICTURE,
    log:
        out("logs/graph_umap/{modality}.log"),
    benchmark:
        out("benchmarks/graph_umap/{modality}.tsv")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=lambda wildcards, input, attempt: 1000
        + attempt * int(6 * graph_input_megabytes(input)),
        runtime=60,
    params:
        settings=GRAPH_SETTINGS,
        seed=CFG["seed"],
        code=code("graph_umap"),
    script:
        "../scripts/graph_umap.py"


if PER_SAMPLE:

    rule graph_transfer:
        input:
            features=out("{modality}/features.npy"),
            clustered=out("{modality}/transfer/clustered.npz"),
            picture=out("{modality}/transfer/picture.npz"),
        output:
            part=temp(out("{modality}/transfer/samples/{sample}.npz")),
        log:
            out("logs/graph_transfer/{modality}/{sample}.log"),
        benchmark:
            out("benchmarks/graph_transfer/{modality}/{sample}.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            # the sketch with its index; a piece of the sample's rows (the constant) and what is found for them
            mem_mb=lambda wildcards, input, attempt: 1500
            + attempt * int(6 * megabytes(input.clustered, input.picture)),
            # the features of all samples bound those of one: a thread places about 10 MB a second
            runtime=lambda wildcards, input, attempt: attempt
            * (10 + int(input.size_mb / 200)),
        params:
            seed=CFG["seed"],
            code=code("graph_transfer"),
        script:
            "../scripts/graph_transfer.py"

    rule graph_gather:
        input:
            cells=out("{modality}/cells.parquet"),
            clustered=out("{modality}/transfer/clustered.npz"),
            picture=out("{modality}/transfer/picture.npz"),
            parts=transfer_parts,
        output:
            **GRAPH_GATHERED,
        log:
            out("logs/graph_gather/{modality}.log"),
        benchmark:
            out("benchmarks/graph_gather/{modality}.tsv")
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            # a row group of the cells, and one sample's part
            mem_mb=lambda wildcards, input, attempt: 1500
            + attempt
            * int(
                2
                * (
                    megabytes(input.clustered)
                    + max(map(megabytes, input.parts), default=0)
                )
            ),
            runtime=lambda wildcards, input, attempt: attempt
            * (10 + int(input.size_mb / 100)),
        params:
            code=code("graph_gather"),
        script:
            "../scripts/graph_gather.py"


rule graph_figure:
    input:
        resolutions=out("{modality}/resolutions.parquet"),
        report=out("{modality}/clustering.json"),
    output:
        figure=report(
            out("{modality}/resolutions.svg"),
            caption="../report/graph_figure.rst",
            category="clusters",
        ),
    log:
        out("logs/graph_figure/{modality}.log"),
    benchmark:
        out("benchmarks/graph_figure/{modality}.tsv")
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
    params:
        code=code("graph_figure"),
    script:
        "../scripts/graph_figure.py"
