"""A table with rows behind those of an earlier file: as if both had been written together."""

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.tables import Schema, read_provenance, read_table, write_appended, write_table

CELLS = Schema("cells", {"cell": ("str", ""), "cluster": ("int32", ""), "confidence": ("float32", "")})


def rows(*names):
    return pd.DataFrame({"cell": names, "cluster": np.arange(len(names)), "confidence": np.float32(0.5)})


def test_both_together_are_the_bytes_of_one_table(tmp_path):
    write_table(rows("a", "b"), tmp_path / "old", CELLS, provenance={"rule": "earlier"})
    more = rows("c").assign(further=1)  # what the table does not have is left out
    write_appended(tmp_path / "old", more, tmp_path / "x/both", schema=CELLS, provenance={"rule": "add"})
    together = pd.concat([rows("a", "b"), rows("c")], ignore_index=True)
    write_table(together, tmp_path / "one", CELLS, provenance={"rule": "add"})
    assert (tmp_path / "x/both").read_bytes() == (tmp_path / "one").read_bytes()
    assert read_provenance(tmp_path / "x/both") == {"rule": "add"}
    with pytest.raises(ValueError, match="missing strings"):
        write_appended(tmp_path / "old", rows(None), tmp_path / "y", schema=CELLS, provenance={})


def test_names_that_many_rows_have_come_as_categories(tmp_path):
    write_table(rows("a", "b", "a"), tmp_path / "t", CELLS)
    found = read_table(tmp_path / "t", columns=["cell"], categories=["cell"])["cell"]
    assert isinstance(found.dtype, pd.CategoricalDtype) and found.tolist() == ["a", "b", "a"]
    assert read_table(tmp_path / "t", CELLS)["cell"].dtype == object
