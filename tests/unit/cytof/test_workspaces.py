"""Which sample of a FlowJo workspace a file is."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.fcs.header import read_header
from cimlnk.cytof.fcs.write import write_fcs
from cimlnk.cytof.gating.workspaces import entries, single_sample

ENTRY = """<Sample>
<DataSet uri="file:/D:/my%20runs/{file}"  sampleID="{id}" />
<Keywords><Keyword name="$FIL"  value="{fil}" /></Keywords>
<SampleNode name="{name}"  count="{count}"  sampleID="{id}" ><Population name="NK &amp; T" count="3"/></SampleNode>
</Sample>"""


def workspace(path, *rows):
    refs = "".join(f'<SampleRef sampleID="{r["id"]}" />' for r in rows)
    body = "\n".join(ENTRY.format(**r) for r in rows)
    path.write_text(f"<Workspace><Groups>{refs}</Groups><SampleList>{body}</SampleList></Workspace>", encoding="utf-8")
    return path


def fcs(path, n=10, fil=None):
    write_fcs(path, np.ones((n, 1)), ["FSC-A"], metadata={"$FIL": fil} if fil else None)
    return read_header(path)


def row(number, file, name="Ctrl.fcs", fil="Ctrl.fcs", count=10):
    return {"id": number, "file": file, "name": name, "fil": fil, "count": count}


def test_files_that_share_fil_are_told_by_their_own_names(tmp_path):
    path = workspace(tmp_path / "w.wsp", row(1, "A_Ctrl.fcs"), row(2, "B_Ctrl.fcs"), row(3, "C_Ctrl.fcs"))
    for number, name in ((1, "A_Ctrl.fcs"), (2, "B_Ctrl.fcs"), (3, "C_Ctrl.fcs")):
        text = single_sample(path, fcs(tmp_path / name, fil="Ctrl.fcs"), tmp_path).read_text()
        (left,) = entries(text)
        assert (left.name, left.file, left.id) == (name, name, str(number))
        assert text.count("<SampleRef") == 1
        assert "NK &amp; T" in text


def test_a_renamed_file_is_told_by_fil_or_by_its_events(tmp_path):
    path = workspace(tmp_path / "w.wsp", row(1, "x.fcs", "X.fcs", "X.fcs"), row(2, "y.fcs", "Y.fcs", "Y.fcs"))
    assert entries(single_sample(path, fcs(tmp_path / "mine.fcs", fil="Y.fcs"), tmp_path).read_text())[0].id == "2"
    path = workspace(tmp_path / "v.wsp", row(1, "x.fcs", count=10), row(2, "y.fcs", count=25))
    assert entries(single_sample(path, fcs(tmp_path / "z.fcs", 25, "Ctrl.fcs"), tmp_path).read_text())[0].id == "2"


def test_what_cannot_be_told_ends_in_one_line(tmp_path):
    path = workspace(tmp_path / "w.wsp", row(1, "a.fcs"), row(2, "b.fcs"))
    with pytest.raises(UserError, match="2 samples that may be z.fcs") as told:
        single_sample(path, fcs(tmp_path / "z.fcs", fil="Ctrl.fcs"), tmp_path)
    assert "\n" not in str(told.value)
    with pytest.raises(UserError, match=r"did you mean 'a\.fcs'"):
        single_sample(path, fcs(tmp_path / "a1.fcs"), tmp_path)
    (tmp_path / "old.wsp").write_text("<Workspace version='1.6'/>", encoding="utf-8")
    with pytest.raises(UserError, match="found none, expected a workspace of FlowJo 10"):
        single_sample(tmp_path / "old.wsp", fcs(tmp_path / "q.fcs"), tmp_path)
