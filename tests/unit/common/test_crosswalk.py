"""Names of others: our names, closed words, ids of the Cell Ontology, and what rests on shared genes counted anew."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pandas as pd
import pytest
from scipy.stats import hypergeom

from cimlnk.common.crosswalk import MATCHES, SCHEMES, columns, crosswalk, others, table_of
from cimlnk.common.home import HOME
from cimlnk.common.palette import label, show_beside
from cimlnk.common.vocabulary import NK
from cimlnk.populations.definitions_file import load_definitions

LISTS = Path(os.environ.get("CIMLNK_TEST_DATA", HOME.parent / "shared/data")) / "nk_gene_lists"


def test_every_row_is_about_a_name_of_ours_in_known_words():
    table = crosswalk()
    known = {NK}
    for infused in (True, False):
        known |= {d.name for d in load_definitions(HOME / "resources/phenotypes/nk.yaml", infused=infused).populations}
    assert set(table["name"]) == known
    assert set(table["scheme"]) == set(SCHEMES) and set(table["match"]) <= set(MATCHES)
    assert not table.duplicated(["name", "scheme"]).any() and (table[["label", "source"]] != "").all().all()
    ids = table.loc[table["scheme"] == "cell_ontology", "id"]
    assert ids.str.fullmatch(r"CL:\d{7}").all() and len(ids) == len(known)


def test_cells_get_the_names_of_others_and_nothing_where_none_is_known():
    found = columns(pd.Series(["adaptive", "unassigned", "CD56dim_KIR"], index=list("abc")))
    assert found.loc["a", "rebuffet_2024"] == "NK3" and found.loc["a", "netskar_2024"] == "Adaptive"
    assert pd.isna(found.loc["c", "rebuffet_2024"]) and found.loc["b"].isna().all()
    assert found.loc["c", "cell_ontology_id"] == "CL:0000939"
    row = table_of(["proliferating"]).iloc[0]
    assert row["azimuth"] == "~ NK Proliferating" and row["cell_ontology"] == "< natural killer cell (CL:0000623)"
    assert row["rebuffet_2024"] is None


def test_a_name_of_others_stands_behind_ours_where_asked_for():
    try:
        show_beside(others("netskar_2024", matches=["exact", "close"]))
        assert label("CD56dim_KIR") == "CD56dim KIR+ [KIR+]" and label("CD56bright") == "CD56bright"
        assert label("memory_like") == "memory-like"
    finally:
        show_beside({})
    assert label("CD56dim_KIR") == "CD56dim KIR+"


@pytest.mark.skipif(not LISTS.is_dir(), reason=f"no gene lists at {LISTS} (CIMLNK_TEST_DATA)")
@pytest.mark.parametrize(("name", "file"), [("CD56bright", "brights"), ("adaptive", "adaptive")])
def test_what_rests_on_shared_genes_says_how_many(name, file):
    row = crosswalk().set_index(["name", "scheme"]).loc[(name, "rebuffet_2024")]
    signatures = json.loads((LISTS / "metank_gene_sig.txt").read_text())
    theirs = set(pd.read_csv(LISTS / f"de_up_{file}.csv", index_col=0).query("lfc_mean > 0").index)
    said = re.search(r"(\d+) of the (\d+) genes of (\w+) \(([\w, ]+)\) are among the (\d+)", row["source"])
    signature = set(signatures[said[3]])
    both = sorted(signature & theirs)
    assert (len(both), len(signature), len(theirs)) == (int(said[1]), int(said[2]), int(said[5]))
    assert ", ".join(both) == said[4]
    assert hypergeom.sf(len(both) - 1, 15000, len(theirs), len(signature)) < 1e-6
    for other in ("NK1A", "NK1B", "NK1C"):  # of the NK1 subgroups nothing of the kind is known
        assert not set(signatures[other]) & theirs
