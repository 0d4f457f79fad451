"""What a user is told to type, in a checkout and where the package is installed."""

import pytest

from cimlnk.common import home


@pytest.mark.parametrize(
    ("cloned", "check", "run", "unlock"),
    [
        (True, "./run check c.yaml", "./run --configfile c.yaml", "./run snakemake --unlock"),
        (False, "cimlnk check c.yaml", "cimlnk run --configfile c.yaml", "cimlnk run --unlock"),
    ],
)
def test_commands_are_those_that_are_there(tmp_path, monkeypatch, cloned, check, run, unlock):
    monkeypatch.setattr(home, "HOME", tmp_path)
    if cloned:
        (tmp_path / "run").touch()
    assert home.called("check", "c.yaml") == check
    assert home.called("run", "--configfile c.yaml") == run
    assert home.called("snakemake", "--unlock") == unlock
