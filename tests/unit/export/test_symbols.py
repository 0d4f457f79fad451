"""Ensembl ids of symbols: never a wrong one, where a release knows better."""

from __future__ import annotations

import pandas as pd
import pytest

from cimlnk.export.symbols import AMBIGUOUS, RELEASES, RETIRED, UNKNOWN, UNSURE, current_ids, gene_table, ids_of_symbols


def of_release(release: int) -> pd.DataFrame:
    """All rows of one release."""
    (bit,) = (b for b, r in RELEASES.items() if r == release)
    table = gene_table()
    return table[(table["releases"] & bit > 0) & (table["symbol"] != "")]


@pytest.mark.parametrize("release", [75, 105, 114])
def test_a_cohort_of_one_release_gets_the_ids_of_that_release(release):
    rows = of_release(release)
    found = ids_of_symbols(list(rows["symbol"].drop_duplicates()))
    assert found.release == release
    ids = pd.Series(found.ids, index=rows["symbol"].drop_duplicates())
    times = rows["symbol"].value_counts()
    sure = rows[(rows["id"] != "") & (rows["symbol"].map(times) == 1)]
    got = ids.loc[sure["symbol"]].to_numpy(dtype=object)
    assert ((got == sure["id"]) | pd.isna(got)).all(), "no other gene"
    assert (got == sure["id"]).mean() > 0.99
    assert ids.loc[times.index[times > 1]].isna().all(), "symbols of several genes"
    assert ids.dropna().is_unique and ids.dropna().isin(current_ids()).all()


def test_what_is_in_doubt_has_no_id_and_says_why():
    base = list(of_release(75)["symbol"].drop_duplicates()[::40])
    # an approved symbol whose gene got another id; a clone's number that means another gene now; an old symbol
    asked = [*base, "TXNIP", "AL627309.1", "Y_RNA", "WBSCR16", "CD56", ""]
    ids, sources, release = ids_of_symbols(asked)
    assert release == 75
    assert dict(zip(asked[-6:], ids[-6:], strict=True)) == {
        "TXNIP": "ENSG00000265972", "AL627309.1": None, "Y_RNA": None, "WBSCR16": "ENSG00000274523", "CD56": None,
        "": None,
    }  # fmt: skip
    assert sources[-6:-1] == ["symbol, other release", RETIRED, AMBIGUOUS, "symbol, other release", UNKNOWN]


def test_an_old_and_a_new_symbol_of_one_gene_do_not_share_its_id():
    new = list(of_release(114)["symbol"].drop_duplicates()[::40])
    ids, sources, _ = ids_of_symbols([*new, "HIST1H4C", "H4C3"])
    assert (ids[-2:], sources[-2]) == ([None, "ENSG00000197061"], AMBIGUOUS)


def test_clones_of_a_release_that_is_not_known_have_no_id():
    rows = of_release(90)
    known = list(rows.loc[rows["id"] != "", "symbol"].drop_duplicates())
    clones = [s for s in known if s.startswith("AC0") and "." in s][:200]
    others = [s for s in known if s.isalpha()][:500]
    assert sum(i is not None for i in ids_of_symbols([*others, *clones]).ids[500:]) > 150
    ids, sources, _ = ids_of_symbols([*others, *clones, *(f"gene {i}" for i in range(100))])
    assert not any(ids[500:]) and UNSURE in sources[500:700]
    assert sum(i is not None for i in ids[:500]) > 480
