"""arcsinh and the guard against values on another scale than stated."""

from __future__ import annotations

import numpy as np
import pytest

from cimlnk.common.errors import UserError
from cimlnk.cytof.transform import arcsinh, check_scale, detect_scale


def raw(n: int = 3000) -> np.ndarray:
    rng = np.random.default_rng(0)
    on = rng.random((n, 6)) < 0.3
    return np.where(on, rng.gamma(2, 60, (n, 6)), 0) - rng.random((n, 6))


def test_arcsinh_with_a_cofactor_per_channel():
    x = raw()
    cofactors = [5, 5, 1, 10, 150, 5]
    np.testing.assert_allclose(arcsinh(x, cofactors), np.arcsinh(x / np.array(cofactors)), rtol=2e-6, atol=1e-6)
    assert arcsinh(x, cofactors).dtype == np.float32
    assert arcsinh(np.full((1, 1), -0.5), [5])[0, 0] == pytest.approx(-0.0998, abs=1e-4)


CASES = {
    "raw": raw(),
    "compensated": raw() - np.random.default_rng(1).gamma(2, 30, (3000, 6)),
    "arcsinh": np.arcsinh(raw() / 5),
    "scaled": np.clip(np.arcsinh(raw() / 5) / 5, 0, 1.2),
}


@pytest.mark.parametrize("kind", CASES)
def test_scales_are_told_apart(kind):
    assert detect_scale(CASES[kind])[0] == kind
    check_scale(CASES[kind], kind, "f.fcs")
    for other in CASES:
        if other != kind and (kind, other) != ("raw", "compensated"):  # raw counts may stand where more is allowed
            with pytest.raises(UserError, match=f"look {kind}.*set cytof.input_scale: {kind}"):
                check_scale(CASES[kind], other, "f.fcs")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(bad):
    x = raw()
    x[7, 2] = bad
    with pytest.raises(UserError, match="1 events with a value that is not finite"):
        check_scale(x, "raw", "f.fcs")


def test_no_events_are_no_contradiction():
    check_scale(np.empty((0, 3)), "arcsinh", "f.fcs")
