# Which file a sample's step reads: raw, as one of the preparation steps wrote it, or per sample.


def raw_path(wildcards):
    """The raw file (or 10x folder) of a sample, as the sheet or a download gives it."""
    return SAMPLES.at[wildcards.sample, "path"]


def simulated_folder(path):
    """The files of a 10x folder that the simulation writes."""
    return {
        "matrix": f"{path}/matrix.mtx.gz",
        "barcodes": f"{path}/barcodes.tsv.gz",
        "features": f"{path}/features.tsv.gz",
    }


def raw_files(wildcards):
    """The files that are a sample's raw counts: of a 10x folder its matrix, barcodes and features."""
    path = raw_path(wildcards)
    if wildcards.sample in COHORT.given:
        return input_files(path)
    # what a rule writes may not be there yet; only the simulation writes folders
    return [path] if Path(path).suffix else list(simulated_folder(path).values())


def first_raw_files(wildcards):
    """Of every RNA sample the first of its raw files, in the sheet's order: it leads to the names of its genes."""
    of = [wildcards] if wildcards.modality == "rna" else []
    return [
        raw_files(SimpleNamespace(sample=s))[0] for w in of for s in samples_of("rna")
    ]


def antibody_files(what):
    """The file (or the files of a 10x folder) that the antibody sheet gives a sample as `what`: counts, empty, hashtags."""

    def files(wildcards):
        given = COHORT.antibodies.get(wildcards.sample, {})
        return input_files(given[what]) if what in given else []

    return files


def hashtag(wildcards):
    """Which cells of a pool are a sample's, by the antibody sheet; None where its file is its own."""
    given = COHORT.antibodies.get(wildcards.sample, {})
    return {
        k: v for k, v in given.items() if k.startswith("hashtag_") or k == "hashtag"
    }


def acquired_path(wildcards):
    """The file of an acquisition as the instrument wrote it: one sample, or a pool of barcoded ones."""
    return PREPARATION.acquisitions[wildcards.acquisition]


def pool_path(wildcards):
    """The pooled file that debarcoding reads: raw, or bead-normalised if that step is on."""
    name = wildcards.get("acquisition") or PREPARATION.acquisition_of[wildcards.sample]
    folder = PREPARATION.folder_before("debarcoding")
    return (
        PREPARATION.acquisitions[name]
        if folder is None
        else out(f"cytof/{folder}/{name}.fcs")
    )


def assignments_path(wildcards):
    """To which sample every event of a sample's pool belongs."""
    name = PREPARATION.acquisition_of[wildcards.sample]
    return out(f"cytof/debarcoded/{name}.parquet")


def uncompensated_path(wildcards):
    """A sample's file as compensation reads it."""
    folder = PREPARATION.folder_before("spillover")
    return (
        raw_path(wildcards)
        if folder is None
        else out(f"cytof/{folder}/{wildcards.sample}.fcs")
    )


def prepared_file(sample):
    """A sample's file as gating reads it: the raw one unless a preparation step is on, which flow always has."""
    if SAMPLES.at[sample, "modality"] == "flow":
        return out(f"flow/compensated/{sample}.fcs")
    folder = PREPARATION.folder_before(None)
    return (
        SAMPLES.at[sample, "path"]
        if folder is None
        else out(f"cytof/{folder}/{sample}.fcs")
    )


def prepared_path(wildcards):
    return prepared_file(wildcards.sample)


def sample_files(wildcards):
    """The per-sample h5ad files of a modality, in the sheet's order."""
    return [
        out(f"{wildcards.modality}/samples/{s}.h5ad")
        for s in samples_of(wildcards.modality)
    ]
