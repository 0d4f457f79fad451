"""Words that several stages share: names of populations that are no subset, keys of a sample, ids of cells."""

from __future__ import annotations

NK = "NK"  # all NK cells of a sample: the denominator of every fraction
UNASSIGNED = "unassigned"  # cells without a name, kept in the denominators and never tested

# Kinds of data, in the order of reports. Both kinds of cytometry take the same rules and the same code.
MODALITIES = ("cytof", "flow", "rna")
CYTOMETRY = ("cytof", "flow")
MODALITY_WORDS = {"cytof": "mass cytometry", "flow": "flow cytometry", "rna": "single-cell RNA sequencing"}

# What says whose sample it is and when it was taken; the columns by which tables of samples are joined.
SAMPLE_KEYS = ("sample", "patient", "day", "timepoint", "arm", "tissue_or_product")


def cell_id(sample: str, event: object) -> str:
    """Id of a cell: sample, and the index of its event in the FCS file (from 0) or its barcode.

    Examples
    --------
    >>> cell_id("P1_pre", 17)
    'P1_pre:17'
    """
    return f"{sample}:{event}"


def sample_of(cell: str) -> str:
    """The sample of a cell id; event indices and barcodes hold no colon, names of samples may.

    Examples
    --------
    >>> sample_of("P1:day 7:AAACCTG-1")
    'P1:day 7'
    """
    return cell.rsplit(":", 1)[0]


def event_of(cell: str) -> str:
    """The event index or barcode of a cell id.

    Examples
    --------
    >>> event_of("P1_pre:17")
    '17'
    """
    return cell.rsplit(":", 1)[1]
