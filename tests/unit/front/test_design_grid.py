"""The design as a grid: it counts the files it was given, shows a slip, and never takes more than a screen."""

import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cimlnk.front.design_grid import design_grid, design_table
from cimlnk.front.draft import Draft, report
from cimlnk.front.guess_samples import guess_samples

COLUMNS = ["patient", "day", "timepoint", "arm", "batch", "modality", "tissue_or_product"]
TIMES = ((-7, "pre"), (0, "product"), (7, "D7"), (28, "D28"))


def cohort(patients=6, times=TIMES, batch=lambda p, t: "run1", arm=lambda p: "CIML"):
    rows = [(f"P{p}", day, t, arm(p), batch(p, t), "cytof", "product" if t == "product" else "blood")
            for p in range(1, patients + 1) for day, t in times]  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def test_a_patient_a_row_and_a_slip_shows():
    samples = cohort(batch=lambda p, t: "run2" if t == "D28" else "run1")
    samples = samples[~((samples["patient"] == "P3") & (samples["timepoint"] == "D7"))]
    assert design_grid(samples) == [
        "patient  pre  product  D7   D28",
        "day      -7   0        7    28",
        "P1       1 a  1 a      1 a  1 b",
        "P2       1 a  1 a      1 a  1 b",
        "P3       1 a  1 a      -    1 b",
        "P4       1 a  1 a      1 a  1 b",
        "P5       1 a  1 a      1 a  1 b",
        "P6       1 a  1 a      1 a  1 b",
        "batches: a run1 (17 files), b run2 (6 files)",
    ]


def test_many_patients_are_grouped_by_arm_and_what_they_have():
    samples = cohort(40, arm=lambda p: "CIML" if p <= 25 else "IL2")
    samples = samples[~((samples["patient"] == "P7") & (samples["timepoint"] == "D28"))]
    text = "\n".join(design_grid(samples))
    assert "P1 to P6, P8 to P25 (24)" in text and re.search(r"P26 to P40 \(15\) +IL2 +1 +1 +1 +1\n", text)
    assert re.search(r"\nP7 +CIML +1 +1 +1 +-\n", text) and text.endswith("one batch: run1")


def test_products_and_modalities_have_rows_of_their_own_where_a_time_point_holds_several():
    samples = cohort(2, TIMES[::2])
    more = samples.assign(modality="rna"), samples[samples["day"] == 7].assign(tissue_or_product="product")
    lines = design_grid(pd.concat([samples, *more]))
    assert [re.split(r"  +", line) for line in lines[2:5]] == [
        ["P1", "cytof", "1", "1"], ["P1", "cytof of product", "-", "1"], ["P1", "rna", "1", "1"],
    ]  # fmt: skip


def counted(lines, patients):
    """Files by the grid alone: the numbers of a row times its patients."""
    total = 0
    for line in lines:
        if line.split()[0] in ("patient", "day"):
            continue
        hit = re.match(r"(.*?)(?: \((\d+)\))?  +(.*)$", line)
        if hit is None or line.startswith(("…", "batches", "one batch")) or re.match(r"\d+ batches", line):
            break
        total += int(hit[2] or hit[1].count(",") + 1) * sum(int(n) for n in re.findall(r"(?<!\S)(\d+)(?!\S)", hit[3]))
    return total


@pytest.mark.parametrize("patients", [1, 6, 12, 13, 60, 300])
@pytest.mark.parametrize("times", [1, 4, 30])
def test_every_file_is_counted_and_a_screen_is_enough(patients, times):
    samples = cohort(patients, [(7 * i, f"week{i}") for i in range(times)])
    lines = design_grid(samples)
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert counted(lines, patients) == patients * times


def test_batches_without_room_for_letters_are_told_in_words():
    lines = design_grid(cohort(60, batch=lambda p, t: f"plate{(7 * p) % 12}"), lines=12)
    assert len(lines) <= 12 and "12 batches of 20 files: plate0, plate1, plate2," in "\n".join(lines)
    assert counted(lines, 60) == 240


words = st.text("abcXYZ019_- äé", min_size=1, max_size=40).map(str.strip).filter(bool)
cells = st.tuples(words, st.integers(-99, 999), words, st.sampled_from(["A", "long name of an arm of this study"]),
                  words, st.sampled_from(["cytof", "rna"]), st.sampled_from(["blood", "product", "donor"]))  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(cells, min_size=1, max_size=60), lines=st.integers(7, 24))
def test_whatever_the_names_are_it_stays_within_its_room(rows, lines):
    samples = pd.DataFrame(rows, columns=COLUMNS)
    grid = design_grid(samples, lines=lines)
    assert 4 <= len(grid) <= lines and max(map(len, grid)) <= 80
    assert len(design_table(samples)) == len(samples[["patient", "arm"]].drop_duplicates())


def test_the_page_names_files_kinds_and_batches():
    table = design_table(pd.concat([cohort(11, batch=lambda p, t: f"r{p % 2}"), cohort(1).assign(modality="rna")]))
    assert list(table["patient"]) == [f"P{i}" for i in range(1, 12)], "P2 before P10"
    assert list(table.columns) == ["patient", "arm", "pre (day -7)", "product (day 0)", "D7", "D28"]
    assert table.loc[0, "D7"] == "cytof, rna (r1, run1)" and table.loc[1, "D7"] == "cytof (r0)"


@pytest.mark.parametrize("files", [1, 26, 300])
def test_what_draft_prints_is_a_screen(files):
    days = 5 if files == 300 else 1
    names = [f"P{1 + i // days}_D{7 * (i % days)}_run{i % 7}.fcs" for i in range(files)]
    samples = guess_samples({n: (n, "cytof") for n in names})
    lines = report(
        Draft("mine", samples, None, "", ["a note that is as long as notes are, and so on and so on"] * 3), []
    )
    assert sum(-(-len(line) // 80) for line in lines) <= 24
    assert any(line.startswith("  patient ") for line in lines) and "P1" in "\n".join(lines)
