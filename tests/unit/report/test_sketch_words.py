"""What the populations page says of a clustering by sketch, and of neighbours that were not found."""

import json

import pandas as pd

from cimlnk.report.blocks import Site
from cimlnk.report.pages.populations import _clustering
from cimlnk.report.run import Run


def words(folder, sketch, **more):
    """The text of the section on the clustering, of a run that has just the two records."""
    place = folder / "cytof"
    place.mkdir(parents=True, exist_ok=True)
    (place / "clustering.json").write_text(json.dumps({"verdict": "stable structure", "sketch": sketch}))
    (place / "graph.json").write_text(json.dumps({"recall": 0.9512, "n_cells": 3_000_000} | more))
    columns = "cluster n_cells population share score runner_up margin support reason".split()
    pd.DataFrame([[0, 9, "NK", 1.0, 1.0, None, 1.0, 1.0, None]], columns=columns).to_parquet(
        place / "annotation.parquet"
    )
    section = _clustering(Run(folder, sorted(place.iterdir()), {}), "cytof", Site(folder / "site", "t"))
    return section.blocks[0].body


def test_a_sketch_is_told_with_its_size_and_what_transfer_reproduces(tmp_path):
    text = words(tmp_path, {"cells": 200_000, "transfer_agreement": 0.9376})
    assert "recall of 0.951" in text and "Stability: stable structure." in text
    assert "sketch of 200,000 cells drawn evenly from 3,000,000" in text and "93.8%" in text


def test_without_a_sketch_nothing_is_said_of_one(tmp_path):
    assert "sketch" not in words(tmp_path, None)


def test_a_recall_short_of_what_was_asked_is_said_unless_it_may_be_chance(tmp_path):
    assert "less than the 0.95 that was asked" in words(
        tmp_path, None, recall=0.3, recall_asked=0.95, recall_error=0.01
    )
    assert "asked" not in words(tmp_path, None, recall=0.945, recall_asked=0.95, recall_error=0.002)
    assert "asked" not in words(tmp_path, None)
