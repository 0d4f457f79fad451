from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.errors import UserError
from cimlnk.simulate.composition import content
from cimlnk.simulate.design import SIZES, samples
from cimlnk.simulate.proteins import MARKERS, panel
from cimlnk.simulate.sheets import DEFAULT_SEED, as_text, check_sheets, main, sheets

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("samples", "counts", "patients")

KINDS = ("samples", "counts", "patients")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_committed_sheets_are_the_generators(size, name):
    committed = (ROOT / "config" / name / f"{size}.tsv").read_text(encoding="utf-8")
    assert as_text(sheets(size, DEFAULT_SEED)[name]) == committed


def test_committed_panel_is_the_generators():
    committed = pd.read_csv(ROOT / "resources/panels/synthetic.tsv", sep="\t")
    pd.testing.assert_frame_equal(committed, panel(), check_dtype=False)
    assert committed["channel"].is_unique and committed["marker"].is_unique
    assert set(MARKERS) <= set(committed["marker"])


def test_counts_can_be_read_as_nk_per_microlitre_on_every_day():
    tables = sheets("demo", 1)
    counts, files = tables["counts"], tables["samples"]
    assert not counts.duplicated(["patient", "day"]).any()
    assert (counts["nk_per_ul"].notna() ^ counts["lymphocytes_per_ul"].notna()).all()
    cytof = files[(files["modality"] == "cytof") & (files["tissue_or_product"] == "blood")]
    by_file = counts[counts["lymphocytes_per_ul"].notna()]
    assert set(zip(by_file["patient"], by_file["day"], strict=True)) <= set(
        zip(cytof["patient"], cytof["day"], strict=True)
    )
    # Every file of blood has a count that day, of either kind, and both kinds are used.
    assert set(zip(cytof["patient"], cytof["day"], strict=True)) <= set(
        zip(counts["patient"], counts["day"], strict=True)
    )
    assert len(by_file) > 10 and counts["nk_per_ul"].notna().sum() > 10


def test_nk_cells_never_exceed_lymphocytes():
    held = [content("demo", 1, s) for s in samples("demo", 1)]
    assert all(c.n_nk <= c.n_lymphocytes for c in held)


def test_il2_doses_follow_the_schedule():
    counts = sheets("demo", 1)["counts"].set_index(["patient", "day"])["il2_dose"]
    assert counts["P1", 3] == counts["P1", 7] == 1.0 and counts["P1", 10] == 0.0
    assert counts["P6", 3] == 1.0 and counts["P6", 7] == 0.0  # two of seven doses: days 1 and 3
    assert np.isnan(counts["P1", -7]) and np.isnan(counts["P1", 28])


def test_sheets_of_another_seed_are_refused_with_the_command_that_makes_them(tmp_path, capsys):
    main(["--size", "tiny", "--seed", "2", "--cohort", "mine", "--folder", str(tmp_path)])
    files = [Path(line) for line in capsys.readouterr().out.split()]
    check_sheets("tiny", 2, "mine", **dict(zip(KINDS, files, strict=True)))
    with pytest.raises(UserError, match=r"counts.mine\.tsv: line 2: found 'P1.*--size tiny --seed 3 --cohort mine"):
        check_sheets("tiny", 3, "mine", **dict(zip(KINDS, files, strict=True)))


def test_a_missing_last_row_is_noticed(tmp_path, capsys):
    main(["--size", "tiny", "--folder", str(tmp_path)])
    files = [Path(line) for line in capsys.readouterr().out.split()]
    files[2].write_text("".join(files[2].read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match="line 6: found 'the end of the file'"):
        check_sheets("tiny", 1, "tiny", **dict(zip(KINDS, files, strict=True)))
