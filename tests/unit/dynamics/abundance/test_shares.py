import numpy as np
import pytest

from cimlnk.dynamics.abundance.shares import make_abundance


def row(table, sample, population):
    found = table[(table["sample"] == sample) & (table["population"] == population)]
    assert len(found) == 1
    return found.iloc[0]


def test_absolute_count_is_nk_per_ul_times_fraction(cohort):
    table = make_abundance(**cohort)
    bright = row(table, "A_d7", "bright")
    assert bright["fraction"] == 0.4 and bright["cells_per_ul"] == pytest.approx(160.0)
    assert bright["cells_per_ul_low"] < 160 < bright["cells_per_ul_high"]
    # the count's 15 % alone is exp(1.96 x 0.149); the product must be wider
    assert bright["cells_per_ul_high"] / 160 > np.exp(1.96 * 0.149)


def test_fractions_of_a_sample_sum_to_one_and_counts_to_nk(cohort):
    table = make_abundance(**cohort)
    named = table[table["population"] != "NK"]
    assert np.allclose(named.groupby("sample")["fraction"].sum(), 1.0)
    blood = named[named["tissue_or_product"] == "blood"].groupby("sample")["cells_per_ul"].sum()
    whole = table[table["population"] == "NK"].set_index("sample")["cells_per_ul"]
    assert np.allclose(blood, whole[blood.index])


def test_product_has_fractions_but_no_blood_concentration(cohort):
    product = row(make_abundance(**cohort), "A_product", "bright")
    assert product["fraction"] == 0.5 and np.isnan(product["cells_per_ul"])
    assert product["reason"] == "product is not blood: no cells per uL"


def test_a_day_with_a_count_but_no_file_has_only_its_nk_row(cohort):
    table = make_abundance(**cohort)
    day = table[(table["patient"] == "B") & (table["day"] == 7)]
    assert day["population"].tolist() == ["NK"] and day["sample"].isna().all()
    assert day["cells_per_ul"].tolist() == [50.0] and day["timepoint"].tolist() == ["D7"]
    assert day["arm"].tolist() == ["IL2"]


def test_a_left_out_sample_keeps_its_blood_count_and_names_the_reason(cohort):
    cells = cohort["populations"]["cytof"]
    cohort["populations"]["cytof"] = cells[cells["sample"] != "A_d28"]
    summary = cohort["summaries"]["cytof"]
    summary.loc[summary["sample"] == "A_d28", ["left_out", "reason"]] = [True, "clogged"]
    lost = row(make_abundance(**cohort), "A_d28", "NK")
    assert lost["reason"] == "sample left out: clogged" and lost["cells_per_ul"] == 100.0


def test_a_cohort_without_any_cell_still_has_its_counts(cohort):
    cohort["populations"]["cytof"] = cohort["populations"]["cytof"].iloc[:0]
    table = make_abundance(**cohort)
    assert set(table["population"]) == {"NK"} and table["cells_per_ul"].notna().sum() == 5


def test_rows_do_not_depend_on_the_order_of_the_cells(cohort):
    first = make_abundance(**cohort)
    cells = cohort["populations"]["cytof"]
    cohort["populations"]["cytof"] = cells.sample(frac=1.0, random_state=1)
    assert first.equals(make_abundance(**cohort))


def test_a_file_without_nk_cells_counts_none_and_has_no_shares(cohort):
    cells = cohort["populations"]["cytof"]
    cohort["populations"]["cytof"] = cells[cells["sample"] != "A_d28"]
    summary = cohort["summaries"]["cytof"]
    summary.loc[summary["sample"] == "A_d28", "n_nk"] = 0
    lost = row(make_abundance(**cohort), "A_d28", "NK")
    assert lost["n_cells"] == lost["n_nk"] == 0 and np.isnan(lost["fraction"])
    assert lost["reason"] == "no NK cells in the file"
    assert lost["cells_per_ul"] == 100.0  # what the sheet has counted stays the number
    of_a = cohort["counts"]["patient"] == "A"
    cohort["counts"].loc[of_a, ["nk_per_ul", "lymphocytes_per_ul"]] = [np.nan, 100.0]
    lost = row(make_abundance(**cohort), "A_d28", "NK")
    assert lost["cells_per_ul"] == lost["cells_per_ul_low"] == 0 < lost["cells_per_ul_high"] < 1
