"""The questions that are asked of a cohort in which nobody was infused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cimlnk.common.tables import write_table
from cimlnk.report.clinicians.answers import answers
from cimlnk.report.clinicians.write import write_clinicians
from known_cohort import CONFIG, LOOSE, changed, pages_of, run_of

OTHERS = {"CIML": "critical", "IL2": "healthy"}  # patients of whom none was infused
HEALTHY_BRIGHT = {"C1": 0.8, "C2": 0.9}


@pytest.fixture
def not_infused(tmp_path):
    def arms(table):
        return table.assign(arm=table["arm"].map(OTHERS))

    def abundance(table):
        share = table["patient"].map(HEALTHY_BRIGHT).fillna(0.3)
        named = {"CD56bright": share, "memory_like": 1 - share}
        fraction = table["fraction"]
        for name, values in named.items():
            fraction = fraction.mask(table["population"] == name, values)
        return arms(table).assign(fraction=fraction)

    blank = {"peak_fold": np.nan, "peak_day": np.nan, "last_fold": np.nan, "reason": "no blood at 'pre'"}
    return changed(
        tmp_path, cohort__samples=arms, dynamics__abundance=abundance, dynamics__folds=arms,
        dynamics__kinetics=lambda t: arms(t).assign(**blank), dynamics__tests=lambda t: t.iloc[:0],
        dynamics__release=lambda t: t.iloc[:0],
    )  # fmt: skip


def test_where_nobody_was_infused_only_what_applies_is_asked_and_arms_are_compared(not_infused, tmp_path):
    told = {a.question: a.text for a in answers(not_infused)}
    assert len(told) == 5 and "after infusion" not in " ".join(told.values())
    kinds = told["Which kinds of NK cells were there?"]
    assert "Arm healthy (C1, C2): CD56bright 85 %; memory-like 15 %" in kinds
    assert "Arm critical (P1, P2, P3, P4): memory-like 70 %; CD56bright 30 %" in kinds
    # two of six patients can be chosen in fifteen ways; four are tied, so that one alone is as extreme
    assert "healthy" in told["Do the arms differ?"] and "p = 0.067" in told["Do the arms differ?"]
    assert told["Is it certain?"].startswith("Not certain: no exact test of so few patients can give a p below 0.067")
    assert "no fold" not in told["What was left out, and what must be known first?"]
    files = sorted(Path(not_infused.root).rglob("*.parquet"))
    write_clinicians(root=not_infused.root, files=files, config=CONFIG, summary=tmp_path / "s", patients=tmp_path / "p")
    assert pages_of((tmp_path / "s").read_bytes()) == 1


def test_arms_without_a_treated_one_are_compared_though_a_product_was_given(not_infused, tmp_path):
    samples = not_infused.table("cohort/samples.parquet")
    samples.loc[0, "tissue_or_product"] = "product"
    write_table(samples, Path(not_infused.root) / "cohort/samples.parquet", LOOSE)
    text = answers(run_of(Path(not_infused.root)))[7].text
    assert text.startswith("No arm is the treated one (claims.arms.treated).") and "between critical, healthy" in text
