"""What more than one stage's tests need."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def places():
    return {"panel": ROOT / "resources/panels/synthetic.tsv", "gates": ROOT / "resources/gates/nk.yaml"}


@pytest.fixture
def settings():
    """The defaults of the schema, as every rule sees them."""
    import yaml

    from cimlnk.cohort.config import fill_defaults

    schema = yaml.safe_load((ROOT / "workflow/schemas/config/cytof.schema.yaml").read_text())
    return fill_defaults({}, schema)
