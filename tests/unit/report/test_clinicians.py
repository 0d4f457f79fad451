"""The ten answers on a cohort whose numbers are known by construction, and the two PDFs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cimlnk.common.tables import write_table
from cimlnk.report.clinicians.answers import answers, how_far, lasted
from cimlnk.report.clinicians.certainty import apart, verdict
from cimlnk.report.clinicians.course import lost, patient_rows
from cimlnk.report.clinicians.sheet import fit, lines, measure
from cimlnk.report.clinicians.subsets import subsets_at_peak
from cimlnk.report.clinicians.write import write_clinicians
from cimlnk.report.run import Run
from known_cohort import CONFIG, COURSES, LOOSE, changed, pages_of, run_of, tables

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("known")
    for name, table in tables().items():
        write_table(table, root / f"{name}.parquet", LOOSE)
    return root


def test_every_question_is_answered_with_the_planted_number(root):
    told = answers(run_of(root))
    text = [a.text for a in told]
    assert len(told) == 10
    assert "6 patients. CIML: 4 (P1, P2, P3, P4); IL2: 2 (C1, C2)." in text[0] and "day -7 to day 60" in text[0]
    assert "1 released (P1 91 %); 1 borderline (P2 79 %, between 77 and 81 %)" in text[1]
    assert "In 2 of 3 CIML patients" in text[2] and "(P1, P2)" in text[2]
    assert "Not so far: P3 6.0-fold." in text[2] and "Not known for P4: baseline not measured: no count." in text[2]
    assert "median 20-fold" in text[3] and "from 6.0-fold (P3) to 40-fold (P1)" in text[3]
    assert "20 (median; range 10–30) to 200 (median; range 180–800)" in text[3]
    assert "on day 14 (median; range 7–14)" in text[4] and "10-fold was first measured between day 7 and 14" in text[4]
    assert "2 of 3 CIML patients were still above 2-fold" in text[5] and "P2 by day 60 (1.5-fold at the end)" in text[5]
    assert "Day 14 (P1, P2): memory-like 60 % (25 % before); CD56bright 40 % (75 % before). Day 7 (P3): mem" in text[6]
    # two of five patients can be chosen in ten ways, and the planted way is the most extreme
    assert "IL2: 0 of 2 rose 10-fold" in text[7] and "p = 0.2 " in text[7] and "allow is 0.2" in text[7]
    assert "so few patients cannot show a difference" in text[7]
    assert text[8].startswith("Likely, but not certain: by a model NK cells were more than before on D7, D14 (")
    assert "wholly above 1 in 3 and above 10 in 2 of 3" in text[8] and "D14 vs pre, is 8.0-fold" in text[8]
    assert "4.0-fold to 16-fold; p = 0.004, linear mixed model" in text[8] and "below 0.25" in text[8]
    assert "1 of 24 files was left out: C2_D60 (empty file)" in text[9]
    assert "raised 1 serious warning and no caution; few cells: only 12 NK cells" in text[9]


@pytest.mark.parametrize(
    ("aliased", "free", "words"), [(0, 2, ""), (1, 1, "Some time points were"), (2, 0, "Time points were")]
)
def test_days_in_batches_of_their_own_are_said_where_shares_are_compared(tmp_path, aliased, free, words):
    changed(tmp_path)
    design = {"modalities": {"cytof": {"factors": {"timepoint": {"aliased": aliased, "free": free}}}}}
    (tmp_path / "cohort/design.json").write_text(json.dumps(design))
    text = answers(Run(tmp_path, sorted(tmp_path.rglob("*.*")), CONFIG))[6].text
    assert ("measured in batches of their own" in text) == bool(words) and words in text


def test_a_height_that_is_kept_has_no_day_of_its_own(tmp_path):
    def long(table):
        return table.assign(peak_day=table["peak_day"].where(table["patient"] != "P1", 60.0))

    run = changed(tmp_path, dynamics__kinetics=long)
    text = [a.text for a in answers(run)]
    assert "not tell from the highest: P1 on day 14 (highest on day 60)." in text[4]
    assert "Day 14 (P1, P2)" in text[6], "the file at the height that counts first"
    plain_text = [a.text for a in answers(changed(tmp_path / "plain"))]
    assert "not tell from the highest" not in plain_text[4]


def test_the_file_of_the_peak_is_of_no_day_whose_count_is_lower_though_it_lies_between_two_high_ones(tmp_path):
    def dipped(table):
        own, nk = table["patient"] == "P1", table["population"] == "NK"
        for day, count in {7: 400.0, 14: 100.0, 60: 410.0}.items():
            at = own & nk & (table["day"] == day)
            table.loc[at, ["cells_per_ul", "cells_per_ul_low", "cells_per_ul_high"]] = count, count * 0.8, count * 1.25
        return table[~(own & ~nk & (table["day"] == 7))]  # counted, without a file

    def long(table):
        own = table["patient"] == "P1"
        return table.assign(peak_day=table["peak_day"].where(~own, 60.0), peak_from=table["peak_from"].where(~own, 7.0))

    run = changed(tmp_path, dynamics__abundance=dipped, dynamics__kinetics=long)
    found = subsets_at_peak(run, patient_rows(run)).drop_duplicates("patient").set_index("patient")["day"]
    assert found["P1"] == 60, "day 14 lies between days 7 and 60, but its count is told from theirs"


@pytest.fixture
def boosted(tmp_path):
    """P1 has a stem-cell boost on day 10 and P3 on day 7: P1's peak of 40-fold on day 14 came after it."""
    days = {"P1": 10.0, "P3": 7.0}
    events = pd.DataFrame({"patient": ["P1", "P1", "P3"], "day": [10, 12, 7], "event": "stem_cell_boost"})
    return changed(
        tmp_path,
        dynamics__kinetics=lambda t: t.assign(censored_day=t["patient"].map(days)),
        cohort__counts=lambda _: events,
    )


def test_what_comes_after_a_boost_is_not_read_as_persistence(boosted):
    text = [a.text for a in answers(boosted)]
    assert "At the last count (day 60) 0 of 1 CIML patients were still above 2-fold" in text[5]
    assert "P1, P3 had a stem-cell boost on day 10, 7: later counts are not the infusion's alone" in text[5]
    assert "(day 7) 2 of these 2 were above 2-fold" in text[5] and "Nobody" not in text[5]
    assert "P1 12-fold" not in text[2] and "from 6.0-fold (P3) to 20-fold (P2)" in text[3]
    rows = patient_rows(boosted).set_index("patient")
    assert rows.loc["P1", ["peak_from", "peak_day", "peak_fold", "last_day", "last_fold"]].tolist() == [7, 7, 12, 7, 12]
    assert rows.loc["P2", "last_fold"] == 1.5 and pd.isna(rows.loc["P2", "event"])


def test_a_boost_before_any_count_leaves_no_fold_and_says_so(tmp_path):
    run = changed(
        tmp_path,
        dynamics__kinetics=lambda t: t.assign(censored_day=t["patient"].map({"P2": 3.0})),
        cohort__counts=lambda _: pd.DataFrame({"patient": ["P2"], "day": [3], "event": "stem_cell_boost"}),
    )
    row = patient_rows(run).set_index("patient").loc["P2"]
    assert np.isnan(row["peak_fold"]) and row["reason"] == "no count after infusion up to the stem-cell boost on day 3"


def test_every_kind_that_is_worth_listing_is_listed_and_memory_like_however_few(tmp_path):
    def more(table):
        bright, few = table["population"] == "CD56bright", table["population"] == "memory_like"
        whole = table.assign(fraction=np.where(few, 0.02, table["fraction"]))
        names = {"CD56dim": 0.40, "CD56dim_KIR": 0.30, "proliferating": 0.18, "adaptive": 0.06, "CD56dim_CD57": 0.04}
        parts = [whole[bright].assign(population=n, fraction=f) for n, f in names.items()]
        return pd.concat([whole[~bright], *parts], ignore_index=True)

    text = answers(changed(tmp_path, dynamics__abundance=more))[6].text
    for words in ("CD56dim, not typed further 40 %", "CD56dim KIR+ 30 %", "proliferating 18 %", "adaptive 6 %",
                  "memory-like 2 %"):  # fmt: skip
        assert words in text, words
    assert "CD57" not in text


def test_what_cannot_be_answered_is_said(root):
    without = ("dynamics", "warnings", "summary")
    text = [a.text for a in answers(run_of(root, without))]
    assert len(text) == 10 and all(text)
    assert "no file of a product" in text[1] and "cannot be said: no NK cells per microlitre" in text[2]
    assert text[8].startswith("Not certain: no change over time could be tested")
    for one in text:
        assert "nan" not in one.lower().replace("nano", "")


def test_a_run_that_warned_of_nothing_says_so_in_words(tmp_path):
    run = changed(tmp_path, quality__warnings=lambda t: t.assign(severity="note"))
    assert answers(run)[9].text.endswith(" The analysis raised no serious warning and no caution.")


def test_not_certain_is_said_where_chance_is_enough():
    row = {"contrast": "CIML: D7 vs pre", "effect_low": -0.2, "effect_high": 0.9, "fdr": 0.3}
    chance = pd.DataFrame([row, row | {"effect_low": 0.1, "fdr": 0.07}])
    assert verdict(chance, 5).startswith("Not certain: on no day")
    assert verdict(chance.iloc[:0], 2) == (
        "Not certain: no change over the counts before infusion could be tested, with 2 patients."
    )
    assert verdict(chance.iloc[:0], 1).endswith("tested, with 1 patient.")
    fell = pd.DataFrame([row | {"effect_low": -2.0, "effect_high": -1.0, "fdr": 0.01}])
    assert verdict(fell, 6).startswith("Certain beyond chance: NK cells were fewer than before on D7 (")
    assert verdict(fell, 5).startswith("Likely, but not certain")
    assert [apart(0.01, 0.001), apart(0.3, 0.2), apart(0.3, 0.02)] == [
        "the arms differ beyond chance", "so few patients cannot show a difference", "a difference is not certain",
    ]  # fmt: skip


def test_one_patient_has_no_median(root):
    rows = patient_rows(Run(root, sorted(root.rglob("*.parquet")), CONFIG))
    alone = rows[rows["patient"] == "P2"]
    assert how_far(alone, "CIML patients") == (
        "The highest count of P2 was 20-fold of the count before: from 10 to 200 NK cells per microlitre."
    )
    alone = alone.assign(event="boost", event_day=61.0)
    assert "(day 60) they were 1.5-fold of the count before; how long" in lasted(alone, "CIML patients")


def test_lost_means_never_above_again():
    days = [7, 14, 28, 60]
    assert lost(pd.DataFrame({"day": days, "fold_change": [12.0, 1.5, 4.0, 1.1]})) == 60
    assert np.isnan(lost(pd.DataFrame({"day": days, "fold_change": [12.0, 1.5, 4.0, 2.1]})))
    assert np.isnan(lost(pd.DataFrame({"day": days, "fold_change": [1.0, 1.5, 1.9, 1.1]})))


def test_questions_are_those_of_the_docs(root):
    page = (ROOT / "docs/clinicians.md").read_text()
    asked = re.findall(r"^\| (\d+) (.+?) \|", page, flags=re.M)
    assert [q for _, q in asked] == [a.question for a in answers(run_of(root))]


def test_pdfs_have_their_pages_and_the_same_bytes_twice(root, tmp_path):
    files = sorted(root.rglob("*.parquet"))
    for n in "12":
        write_clinicians(
            root=root, files=files, config=CONFIG, summary=tmp_path / f"s{n}.pdf", patients=tmp_path / f"p{n}.pdf"
        )
    for kind, pages in (("s", 2), ("p", len(COURSES))):
        one, two = ((tmp_path / f"{kind}{n}.pdf").read_bytes() for n in "12")
        assert one == two and pages_of(one) == pages
        assert b"CreationDate" not in one


def test_lines_fit_the_page_and_lose_no_word():
    text = "NK cells per microlitre of blood rose at least ten-fold in every patient " * 4
    made = lines(text, 8.6)
    assert " ".join(made).split() == text.split()
    assert max(measure(line, 8.6) for line in made) <= 0.851
    assert fit("a very long remark of a patient", 8, "normal", room=0.1).endswith("…")


def test_rows_keep_patients_without_counts(root):
    rows = patient_rows(run_of(root)).set_index("patient")
    assert list(rows.index) == ["P1", "P2", "P3", "P4", "C1", "C2"]
    assert rows.loc["P4", "reason"] == "baseline not measured: no count" and rows.loc["P2", "lost_day"] == 60
