import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.abundance.diversity import make_diversity
from cimlnk.dynamics.abundance.shares import make_abundance
from cimlnk.stats.diversity import inverse_simpson, shannon


def test_indices_of_even_and_single_populations():
    even, single = np.array([5.0, 5, 5, 5]), np.array([7.0, 0, 0, 0])
    assert inverse_simpson(even) == 4.0 and inverse_simpson(single) == 1.0
    assert shannon(even) == pytest.approx(np.log(4)) and shannon(single) == 0.0


def test_all_samples_of_a_modality_share_the_depth_of_the_smallest(cohort):
    table = make_diversity(make_abundance(**cohort), min_cells=100, draws=100, seed=1)
    assert (table["depth"] == 1000).all()
    product = table[table["sample"] == "A_product"].iloc[0]
    assert product["inverse_simpson"] == pytest.approx(2.0) and product["low"] <= 2.0


def test_small_samples_are_named_and_do_not_set_the_depth(cohort):
    cells = cohort["populations"]["cytof"]
    small = cells[cells["sample"] == "A_d28"].iloc[::20]
    cohort["populations"]["cytof"] = pd.concat([cells[cells["sample"] != "A_d28"], small], ignore_index=True)
    table = make_diversity(make_abundance(**cohort), min_cells=100, draws=50, seed=1).set_index("sample")
    assert np.isnan(table.at["A_d28", "inverse_simpson"]) and "50 named cells" in table.at["A_d28", "reason"]
    assert table.at["A_d7", "depth"] == 1000


def test_the_same_seed_gives_the_same_numbers(cohort):
    abundance = make_abundance(**cohort)
    first, second = (make_diversity(abundance, 100, 50, seed=3) for _ in range(2))
    assert first.equals(second)
    other = make_diversity(abundance, 100, 50, seed=4)
    assert not first["low"].equals(other["low"])
