"""The tables of a cohort on disk."""

import json

import pytest

from cimlnk.cohort.config import resolve
from cimlnk.cohort.save import save_cohort, sheet_settings
from cimlnk.cohort.tables import COUNTS, PATIENTS, SAMPLES
from cimlnk.common.errors import UserErrors
from cimlnk.common.job import KEEP_GOING
from cimlnk.common.tables import read_provenance, read_table


def save(folder, out, check_fcs=None):
    out.mkdir(exist_ok=True)
    places = {name: out / f"{name}.parquet" for name in ("samples", "counts", "patients", "functional", "panel")}

    settings = sheet_settings(resolve(folder.config, folder.base))
    notes = save_cohort(
        settings, folder.base, **places, design=out / "design.json", check_fcs=check_fcs or (lambda path, panel: None),
        provenance={"rule": "cohort_tables"},
    )  # fmt: skip
    return places, notes


def test_tables_fit_their_schemas_and_hold_the_sheets_paths(folder, tmp_path):
    places, notes = save(folder, tmp_path / "out")
    samples = read_table(places["samples"], SAMPLES)
    assert samples["path"].tolist()[0] == "fcs/a_pre.fcs"
    assert len(read_table(places["counts"], COUNTS)) == 4
    assert read_table(places["patients"], PATIENTS)["arm"].tolist() == ["CIML", "IL2_only"]
    assert read_provenance(places["samples"]) == {"rule": "cohort_tables"}
    design = json.loads((tmp_path / "out/design.json").read_text())
    assert design["warnings"] == notes == ["patient a has no rna blood sample at pre: folds only from the counts sheet"]
    assert design["modalities"]["cytof"]["factors"]["arm"]["aliased"] == 1


def test_an_absolute_path_is_told_without_the_folders_of_the_machine(folder, tmp_path):
    from pathlib import Path

    sheet = Path(folder.base, folder.config["cohort"]["samples"])
    sheet.write_text(sheet.read_text().replace("fcs/", f"{folder.base}/fcs/"))
    places, _ = save(folder, tmp_path / "out")
    assert read_table(places["samples"], SAMPLES)["path"].tolist()[0] == "a_pre.fcs"
    assert str(folder.base) not in str(read_table(places["samples"]).to_dict())


def test_the_same_sheets_give_the_same_bytes(folder, tmp_path):
    save(folder, tmp_path / "one")
    save(folder, tmp_path / "two")
    files = sorted((tmp_path / "one").iterdir())
    assert len(files) >= 5
    for file in files:
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


def test_a_bad_file_stops_the_run_but_not_under_keep_going(folder, tmp_path, monkeypatch):
    from cimlnk.common.errors import UserError

    def broken(path, panel):
        raise UserError(path.name, "HEADER", "XLS", "an FCS version")

    monkeypatch.delenv(KEEP_GOING, raising=False)
    with pytest.raises(UserErrors) as caught:
        save(folder, tmp_path / "out", broken)
    assert len(caught.value.errors) == 4
    monkeypatch.setenv(KEEP_GOING, "1")
    places, notes = save(folder, tmp_path / "out", broken)
    assert places["samples"].exists()
    assert "a_d7.fcs: HEADER: found 'XLS', expected an FCS version" in notes


def test_a_title_does_not_touch_the_tables_settings(folder):
    before = sheet_settings(resolve(folder.config, folder.base))
    folder.config["cohort"]["title"] = "Another"
    folder.config["graph"] = {"k": 30}
    assert sheet_settings(resolve(folder.config, folder.base)) == before


def test_a_copy_of_a_file_is_told_in_the_design_and_to_the_user(folder, tmp_path):
    for name in ("a_pre", "a_d7"):
        (folder.base / f"fcs/{name}.fcs").write_bytes(b"the same")
    _, notes = save(folder, tmp_path / "out")
    design = json.loads((tmp_path / "out/design.json").read_text())
    assert design["warnings"] == notes
    assert notes[-1].startswith("the file of sample a_d7 is that of sample a_pre, byte for byte")
