"""Whatever stands in a sheet or config, the answer is a cohort or a user error, never another exception."""

import contextlib
import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cimlnk.cohort.config import resolve
from cimlnk.cohort.schemas import config_schema
from cimlnk.common.errors import UserError

from .conftest import COUNTS, PANEL, PATIENTS, SAMPLES, Folder

TEXTS = {"samples": SAMPLES, "counts": COUNTS, "patients": PATIENTS, "panel": PANEL}
CELL = st.one_of(
    st.sampled_from(
        ["", "NA", "nan", "inf", "-1", "1e400", "0x10", "7.0", '"', "'", "\t", "\n", "\r", ";", ",", "\x00", "#"]
    ),
    st.text(max_size=8),
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory() as folder:
        yield Folder(Path(folder))


@quick
@given(sheet=st.sampled_from(sorted(TEXTS)), at=st.integers(0, 400), cut=st.integers(0, 12), put=CELL)
def test_a_bent_sheet(place, sheet, at, cut, put):
    text = TEXTS[sheet]
    at %= len(text)
    place.write(sheet, (text[:at] + put + text[at + cut :]).encode("utf-8", "surrogatepass"))
    try:
        with contextlib.suppress(UserError):
            place.load()
    finally:
        place.write(sheet, text)


@quick
@given(sheet=st.sampled_from(sorted(TEXTS)), data=st.binary(max_size=300))
def test_bytes_in_the_place_of_a_sheet(place, sheet, data):
    place.write(sheet, data)
    try:
        with contextlib.suppress(UserError):
            place.load()
    finally:
        place.write(sheet, TEXTS[sheet])


def keys(schema, path=()):
    for key, sub in schema.get("properties", {}).items():
        yield (*path, key)
        yield from keys(sub, (*path, key))


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=5), inner, max_size=2)),
    max_leaves=4,
)


@quick
@given(path=st.sampled_from(sorted(keys(config_schema()))), value=VALUES)
def test_any_value_at_any_key(place, path, value):
    config = yaml.safe_load(yaml.safe_dump(place.config))
    inner = config
    for key in path[:-1]:
        inner = inner.setdefault(key, {})
    inner[path[-1]] = value
    with contextlib.suppress(UserError):
        resolve(config, place.base)
