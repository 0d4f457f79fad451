"""The user manual names every key and column there is, as the schemas have them."""

from pathlib import Path

import pytest

from cimlnk.cohort.manual import fill_manual, main, section_table, sheet_table

README = Path(__file__).parents[3] / "config" / "README.md"


def test_the_manual_is_in_step_with_the_schemas():
    assert main([str(README), "--check"]) == 0, (
        "run: PYTHONPATH=workflow python -m cimlnk.cohort.manual config/README.md"
    )


def test_the_manual_names_every_ready_cohort():
    text = README.read_text(encoding="utf-8")
    configs = sorted(p.name for p in README.parent.glob("*.yaml"))
    assert [name for name in configs if f"| `{name}` |" not in text] == []


def test_a_manual_out_of_step_is_told_and_mended(tmp_path, capsys):
    path = tmp_path / "README.md"
    right = fill_manual(README.read_text(encoding="utf-8"))
    path.write_text(right.replace("| `nk_per_ul` |", "| `nk_per_ml` |"), encoding="utf-8")
    assert main([str(path), "--check"]) == 1
    assert "out of step" in capsys.readouterr().err
    assert main([str(path)]) == 0
    assert path.read_text(encoding="utf-8") == right


def test_a_missing_block_is_a_fault():
    with pytest.raises(ValueError, match="panel"):
        fill_manual(README.read_text(encoding="utf-8").replace("begin panel", "begin pannel"))


def test_tables_hold_nested_keys_defaults_and_needs():
    assert "| `id` | text of letters" in section_table("cohort") and "(needed)" in section_table("cohort")
    assert "| `data_root` | text or null | `null` |" in section_table("cohort")
    assert "`acquisition_qc.bins`" in section_table("cytof")
    assert "| `patient` | yes |" in sheet_table("samples") and "| `sha256` | no |" in sheet_table("samples")
    assert "any other" in sheet_table("patients") and "any other" not in sheet_table("panel")
