"""Receptor combinations of a sample, and distances between samples."""

from __future__ import annotations

from cimlnk.common.tables import Schema
from cimlnk.dynamics.tables import SAMPLE

REPERTOIRE = Schema(
    "REPERTOIRE",
    {
        **SAMPLE,
        "phenotype": ("str", "Boolean phenotype in words: `NKG2A+ NKG2C- CD57-`"),
        "n_cells": ("int", "cells of the sample with it"),
        "fraction": ("float", "n_cells over all NK cells of the sample"),
    },
)

DISTANCES = Schema(
    "DISTANCES",
    {
        "modality": ("str", "`cytof` or `rna`"),
        "what": ("str", "`receptors` (all of them), `donor_receptors` (the inherited ones) or `composition`"),
        "metric": ("str", "`jensen_shannon` (0-1, base 2) or `aitchison`"),
        "sample": ("str", "sample id"),
        "other": ("str", "sample id"),
        "distance": ("float", "in the unit of the metric"),
        "same_patient": ("bool", "both of one patient (or that patient's donor and product)"),
        "same_timepoint": ("bool", "both of one time point"),
        "days_apart": ("float", "days between them"),
    },
)
