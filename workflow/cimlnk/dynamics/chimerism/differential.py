"""Tests of the donor's share and of the donor's and recipient's cells per microlitre, by the tests of abundance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cimlnk.common.vocabulary import NK
from cimlnk.dynamics.abundance.differential import abundance_tests
from cimlnk.dynamics.abundance.tables import ABUNDANCE
from cimlnk.dynamics.results import with_fdr
from cimlnk.dynamics.tables import TESTS


def as_abundance(shares: pd.DataFrame, abundance: pd.DataFrame) -> pd.DataFrame:
    """SHARES of the NK cells as ABUNDANCE, the roles in the place of populations; roles over persons summed.

    Only samples in which every label has a person with a role: elsewhere the others' share is not known.
    """
    nk = shares[shares["population"] == NK]
    known = nk.groupby("sample")["role"].transform(lambda r: bool(r.notna().all())).astype(bool)
    nk = nk[known & (nk["n_singlets"] > 0)]
    if not len(nk):
        return ABUNDANCE.empty()
    keys = ["sample", "patient", "day", "timepoint", "arm", "tissue_or_product"]
    table = nk.groupby([*keys, "role"], sort=True).agg(n_cells=("n_person", "sum"), n_nk=("n_singlets", "first"))
    table = table.reset_index().rename(columns={"role": "population"})
    whole = abundance[(abundance["modality"] == "rna") & (abundance["population"] == NK)]
    whole = whole[whole["sample"].isin(table["sample"])]
    per_ul = whole.set_index("sample")["nk_per_ul"]
    table["modality"], table["fraction"] = "rna", table["n_cells"] / table["n_nk"]
    table["nk_per_ul"] = table["sample"].map(per_ul)
    table["cells_per_ul"] = table["nk_per_ul"] * table["fraction"]
    table["nk_per_ul_source"] = table["reason"] = None
    for column in ("fraction_low", "fraction_high", "cells_per_ul_low", "cells_per_ul_high"):
        table[column] = np.nan
    singlets = table.drop_duplicates("sample").set_index("sample")["n_nk"]
    whole = whole.assign(n_nk=whole["sample"].map(singlets), n_cells=whole["sample"].map(singlets))
    return ABUNDANCE.check(pd.concat([table, whole], ignore_index=True)[list(ABUNDANCE.columns)])


def donor_tests(
    shares: pd.DataFrame,
    abundance: pd.DataFrame,
    *,
    samples: pd.DataFrame,
    patients: pd.DataFrame,
    baseline: str,
    formula: str,
    reference_arm: str | None,
    min_patients: int,
    min_nk_cells: int,
    seed: int,
) -> pd.DataFrame:
    """Change of the donor's share and of both roles' cells per microlitre over time, and between arms.

    The tests are those of :func:`cimlnk.dynamics.abundance.differential.abundance_tests`, with the tests' names
    ``donor_share…`` and ``donor_absolute…`` and `population` ``donor`` or ``recipient``. The share of the recipient is
    the donor's turned round and is not tested beside it. Where one side of a contrast has no donor cell (as before
    infusion it should), there is no ratio to test, and the row says so.

    Returns
    -------
    DataFrame
        TESTS; no rows where no sample's cells have roles.
    """
    table = as_abundance(shares, abundance)
    if not len(table):
        return TESTS.empty()
    found = abundance_tests(
        table,
        samples,
        patients,
        baseline=baseline,
        formula=formula,
        reference_arm=reference_arm,
        min_patients=min_patients,
        min_nk_cells=min_nk_cells,
        seed=seed,
    )
    share = found["test"].str.startswith("abundance") & (found["population"] == "donor")
    absolute = found["test"].str.startswith("absolute") & (found["population"] != NK)
    kept = found[share | absolute].drop(columns=["fdr", "fdr_family"])
    full = kept["separated"].astype(bool) & (kept["population"] == "recipient")
    kept.loc[full, "reason"] = "separated: on one side of the contrast all cells, or none, are the recipient's"
    kept["test"] = kept["test"].str.replace("abundance", "donor_share").str.replace("absolute", "donor_absolute")
    return with_fdr([kept])
