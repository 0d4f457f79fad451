"""Day 0 to 5 of stimulated T cells (Hartmann 2021): profiles and transport put the days in order."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cimlnk.dynamics.identity.links import profile, summarise
from cimlnk.stats.transport import transport

DATA = (
    Path(os.environ.get("CIMLNK_TEST_DATA", Path(__file__).parents[3] / "shared" / "data")) / "cytof_tcell_timecourse"
)
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no test data at {DATA} (CIMLNK_TEST_DATA)"),
]


@pytest.fixture(scope="module")
def cells() -> tuple[np.ndarray, np.ndarray]:
    table = pd.read_csv(DATA / "tcell_timecourse.csv.gz")
    x = table.drop(columns="labels").to_numpy(float)
    return (x - x.mean(axis=0)) / x.std(axis=0), table["labels"].str.removeprefix("day").astype(int).to_numpy()


def seriation(distance: np.ndarray) -> list[int]:
    """The shortest path through all time points, starting at the first; all 120 orders are tried."""
    from itertools import permutations

    rest = range(1, len(distance))
    length = {o: sum(distance[a, b] for a, b in zip((0, *o), o, strict=False)) for o in permutations(rest)}
    return [0, *min(length, key=lambda o: length[o])]


def test_profile_distances_put_the_days_in_order(cells):
    x, day = cells
    mean = np.stack([x[day == d].mean(axis=0) for d in range(6)])
    distance = np.sqrt(((mean[:, None] - mean[None]) ** 2).sum(axis=-1))
    assert seriation(distance) == [0, 1, 2, 3, 4, 5]


def test_transport_cost_puts_the_days_in_order(cells):
    x, day = cells
    rng = np.random.default_rng(0)
    part = [x[day == d][rng.choice((day == d).sum(), 200, replace=False)] for d in range(6)]
    n, cost = np.full(200, 1 / 200), np.zeros((6, 6))
    for a in range(6):
        for b in range(a + 1, 6):
            c = ((part[a][:, None] - part[b][None]) ** 2).mean(axis=-1)
            plan = transport(c, n, n, epsilon=0.05, relax_source=np.inf, iterations=300)
            cost[a, b] = cost[b, a] = (plan * c).sum()
    assert seriation(cost) == [0, 1, 2, 3, 4, 5]
    # the course is a loop, not a line: the cells go far until day 3 and have come back a part of the way by day 5
    assert cost[0].argmax() == 3 and cost[0, 5] < cost[0, 3]


def test_a_summary_holds_the_moments_of_the_cells(cells):
    x, day = cells
    p = profile(summarise(x, day, np.zeros(len(x), dtype=int), n_patients=1))
    assert p.mean[3] == pytest.approx(x[day == 3].mean(axis=0)) and p.variance[3] == pytest.approx(
        x[day == 3].var(axis=0)
    )
