"""The fields of the CELLxGENE schema (version 7), from the config and the patients' sheet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cimlnk.common.errors import Plain, UserError
from cimlnk.common.tables import read_table

from .symbols import GENCODE, current_ids

log = logging.getLogger(__name__)
# field of the config -> column of obs
COLUMNS = {
    "assay": "assay_ontology_term_id",
    "cell_type": "cell_type_ontology_term_id",
    "development_stage": "development_stage_ontology_term_id",
    "disease": "disease_ontology_term_id",
    "tissue": "tissue_ontology_term_id",
    "ethnicity": "self_reported_ethnicity_ontology_term_id",
    "sex": "sex_ontology_term_id",
}


@dataclass(frozen=True)
class Fields:
    """Ontology ids of a cohort.

    Attributes
    ----------
    values
        The config's section: one id a field, for all cells.
    by_patient
        Index patient; a column named like a field (``sex_ontology_term_id``) overrides the config's id.
    """

    values: Mapping[str, Any]
    by_patient: pd.DataFrame

    @classmethod
    def of(cls, values: Mapping[str, Any], sheet: str | Path, patients: str | Path | None) -> Fields:
        """Fields from the config, and those of single patients from the patients' sheet."""
        known = set(read_table(sheet)["patient"])
        table = read_table(patients) if patients is not None else pd.DataFrame({"patient": []})
        columns = [c for c in COLUMNS.values() if c in table]
        return cls(values, table[table["patient"].isin(known)].set_index("patient")[columns])


def annotate(obs: pd.DataFrame, var: pd.DataFrame, fields: Fields) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the schema's columns to `obs`, and name the genes by their Ensembl ids, the symbols standing beside.

    Genes without an id, and ids that GENCODE 48 (the schema's annotation) has no more, are left out of `var`.

    Raises
    ------
    UserError
        If no gene is left.
    """
    ids = var["gene_ids"].astype(object)
    kept = ids.isin(current_ids()) & ~ids.duplicated(keep=False)
    if not kept.any():
        first = ", ".join(map(str, var.index[:3]))
        raise UserError(
            "config", "export.cellxgene",
            Plain(f"none of {len(var)} genes has an Ensembl id of GENCODE {GENCODE} ({first}, …)"),
            "human gene symbols or Ensembl ids (10x folders and h5 have both), or no export.cellxgene",
        )  # fmt: skip
    if not kept.all():
        log.warning(
            "%d of %d genes left out, without an Ensembl id that GENCODE %d has: %s", (~kept).sum(), len(var), GENCODE,
            ", ".join(map(str, var.index[~kept][:10])) + (", …" if (~kept).sum() > 10 else ""),
        )  # fmt: skip
    var = var[kept]
    obs = obs.rename(columns={"sex": "sex_of_sheet", "disease": "disease_of_sheet", "tissue": "tissue_of_sheet"})
    patient = obs["patient"]
    for field, column in COLUMNS.items():
        values = pd.Series(str(fields.values[field]), index=patient.cat.categories)
        if column in fields.by_patient:
            values.update(fields.by_patient[column].dropna().astype(str))
        obs[column] = pd.Categorical(patient.map(values))
    obs["donor_id"] = patient
    obs["suspension_type"] = pd.Categorical([str(fields.values["suspension_type"])] * len(obs))
    obs["tissue_type"] = pd.Categorical([str(fields.values["tissue_type"])] * len(obs))
    obs["is_primary_data"] = bool(fields.values["is_primary_data"])
    named = var.rename_axis(None).assign(gene_symbol=var.index.astype(str), feature_is_filtered=False)
    named.index = pd.Index(var["gene_ids"].astype(str), name=None)
    return obs, named.drop(columns="gene_ids")
