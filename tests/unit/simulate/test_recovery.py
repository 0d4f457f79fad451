from pathlib import Path

import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.common.tables import write_pieces, write_table
from cimlnk.simulate.recovery import as_text, cohort_id, main
from cimlnk.simulate.tables import CELLS_CYTOF, RECOVERY, read_cells

ROOT = Path(__file__).resolve().parents[3]


def marks(*rows):
    return RECOVERY.check(
        pd.DataFrame(
            [
                {"measure": m, "modality": "cytof", "value": v, "threshold": t, "passed": not v < t, "n": 10,
                 "worst": None, "meaning": ""}
                for m, v, t in rows
            ]
        )
    )  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results/tiny/truth/recovery.parquet"


def test_exit_code_follows_the_marks(here, capsys):
    config = str(ROOT / "config/tiny.yaml")
    nan = float("nan")
    write_table(marks(("ARI", 0.95, 0.9), ("told", 0.1, nan)), here, RECOVERY)
    assert main(["--config", config, "--no-run"]) == 0
    assert "0 of 1 marks missed" in capsys.readouterr().out
    write_table(marks(("ARI", 0.85, 0.9), ("told", 0.1, nan)), here, RECOVERY)
    assert main(["--configfile", config, "--no-run"]) == 1  # the word that a run has for it, too
    assert "MISSED ARI" in capsys.readouterr().out


def test_no_marks_yet_is_one_message(here, capsys):
    assert main(["--config", str(ROOT / "config/tiny.yaml"), "--no-run"]) == 2
    assert "recovery.parquet: file: found nothing, expected the marks of an earlier run" in capsys.readouterr().err


def test_table_for_the_terminal_has_a_line_per_mark():
    text = as_text(marks(("ARI", 0.95, 0.9), ("told", 0.1, float("nan"))))
    assert len(text.splitlines()) == 3 and "ok     ARI" in text


def test_synthetic_configs_have_their_id():
    for name in ("config", "tiny", "large", "controls"):
        assert cohort_id(ROOT / f"config/{name}.yaml") == {"config": "demo"}.get(name, name)


def test_wrong_configs_are_told(tmp_path):
    with pytest.raises(UserError, match="nowhere.yaml: file: found nothing"):
        cohort_id(tmp_path / "nowhere.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("cohort: [\n")
    with pytest.raises(UserError, match="expected valid YAML"):
        cohort_id(broken)
    real = tmp_path / "real.yaml"
    real.write_text("cohort: {id: x, samples: config/samples/tiny.tsv}\n")
    with pytest.raises(UserError, match="real data have no planted truth"):
        cohort_id(real)


def test_of_the_truth_only_nk_cells_and_kept_cells_are_read(tmp_path, monkeypatch):
    kinds = ["T", "NK", "B", "NK", "doublet", "T"]
    table = pd.DataFrame({"cell": [f"s:{k}" for k in range(6)], "sample": "s", "class": kinds, "population": "",
                          "also": "", "kind": kinds, "event": range(6)})  # fmt: skip
    parts = [table.iloc[:4], table.iloc[4:]]
    write_pieces(parts, tmp_path / "cells.parquet", CELLS_CYTOF)
    for piece in (2, 1_000_000):
        monkeypatch.setattr("cimlnk.simulate.tables.PIECE", piece)
        assert list(read_cells(tmp_path / "cells.parquet")["cell"]) == ["s:1", "s:3"]
        found = read_cells(tmp_path / "cells.parquet", kept=["s:4", "s:0", "s:1", "elsewhere:1"])
        assert list(found["cell"]) == ["s:0", "s:1", "s:3", "s:4"]
        assert list(found["class"]) == ["T", "NK", "NK", "doublet"]
    write_table(CELLS_CYTOF.empty(), tmp_path / "none.parquet", CELLS_CYTOF)
    assert len(read_cells(tmp_path / "none.parquet", kept=["s:1"])) == 0
