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
        + attempt * int(10 * input.size_mb),
        runtime=60,
    params:
        settings=CFG["graph"],
        seed=CFG["seed"],
        code=code("common", "graph"),
    script:
        "../scripts/graph_neighbors.py"


rule graph_cluster:
    input:
        features=out("{modality}/features.npy"),
        cells=out("{modality}/cells.parquet"),
        graph=out("{modality}/graph.npz"),
    output:
        clusters=out("{modality}/clusters.parquet"),
        resolutions=out("{modality}/resolutions.parquet"),
        support=out("{modality}/cluster_support.parquet"),
        report=out("{modality}/clustering.json"),
    log:
        out("logs/graph_cluster/{modality}.log"),
    benchmark:
        out("benchmarks/graph_cluster/{modality}.tsv")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=lambda wildcards, input, attempt: 1500 + attempt * int(8 * input.size_mb),
        runtime=120,
    params:
        settings=CFG["graph"],
        seed=CFG["seed"],
        code=code("common", "graph"),
    script:
        "../scripts/graph_cluster.py"


rule graph_umap:
    input:
        features=out("{modality}/features.npy"),
        cells=out("{modality}/cells.parquet"),
        graph=out("{modality}/graph.npz"),
    output:
        umap=out("{modality}/umap.parquet"),
    log:
        out("logs/graph_umap/{modality}.log"),
    benchmark:
        out("benchmarks/graph_umap/{modality}.tsv")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=lambda wildcards, input, attempt: 1000 + attempt * int(6 * input.size_mb),
        runtime=60,
    params:
        settings=CFG["graph"],
        seed=CFG["seed"],
        code=code("common", "graph"),
    script:
        "../scripts/graph_umap.py"


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
        code=code("common", "graph/figure"),
    script:
        "../scripts/graph_figure.py"
