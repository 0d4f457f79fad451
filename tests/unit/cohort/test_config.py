"""One strict schema from the sections: every fault told at once, with the key and the nearest valid name."""

import copy

import pytest
import yaml

from cimlnk.cohort.config import fill_defaults, resolve
from cimlnk.cohort.describe import expectation
from cimlnk.cohort.schemas import SECTIONS, config_schema, faults, load_schema
from cimlnk.common.errors import UserError, UserErrors

MINIMAL = {"cohort": {"id": "x", "samples": "s.tsv"}}


@pytest.fixture
def base(tmp_path):
    (tmp_path / "s.tsv").write_text("sample\n")
    return tmp_path


def told(config, base):
    with pytest.raises(UserErrors) as caught:
        resolve(config, base, "my.yaml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_has_a_closed_schema_with_defaults_and_descriptions(section):
    schema = load_schema(f"config/{section}")
    assert schema is not None
    assert list(faults(schema, section)) == []


def test_a_minimal_config_is_filled_in_everywhere(base):
    full = resolve(MINIMAL, base)
    assert set(full) == {"seed", *SECTIONS}
    assert full["seed"] == 1 and full["simulate"] is None
    assert full["cohort"]["arms"] == ["CIML", "IL2_only", "nonpersister", "no_cytokine", "healthy"]
    assert full["cytof"]["acquisition_qc"]["bins"] == 200
    assert full["graph"]["umap"]["min_dist"] > 0


def test_resolving_twice_changes_nothing_and_leaves_the_input_alone(base):
    given = copy.deepcopy(MINIMAL)
    once = resolve(given, base)
    assert given == MINIMAL
    assert resolve(once, base) == once


def test_defaults_are_valid_themselves(base):
    # resolve() validates what it is given, not what it fills in: a wrong default would pass unseen
    from jsonschema import Draft202012Validator

    Draft202012Validator(config_schema()).validate(resolve(MINIMAL, base))


def test_an_empty_section_or_block_is_as_if_not_written(base):
    written = yaml.safe_load("cohort: {id: x, samples: s.tsv}\ngraph:\ncytof:\n  acquisition_qc:\nsimulate:\n")
    assert resolve(written, base) == resolve(MINIMAL, base)


def test_all_faults_are_told_together_with_file_and_key(base):
    lines = told(
        {
            "cohort": {"id": 7, "sampels": "s.tsv", "arms": ["a", "a"]},
            "graph": {"k": "15", "umapp": {}},
            "grpah": {},
            "seed": -1,
        },
        base,
    )
    assert len(lines) == 8 and all(line.startswith("my.yaml: ") for line in lines)
    text = "\n".join(lines)
    assert "cohort.sampels: found 'sampels'" in text and "(did you mean 'samples'?)" in text
    assert "cohort.samples: found no such key, expected text" in text
    assert "cohort.id: found 7, expected text" in text and "put it in quotes" in text
    assert "cohort.arms: found ['a', 'a'], expected a list of at least 1, each once" in text
    assert "graph.k: found '15', expected an integer >= 2 and <= 200 (without quotes)" in text
    assert "graph.umapp" in text and "(did you mean 'umap'?)" in text
    assert "(did you mean 'graph'?)" in text
    assert "seed: found -1, expected an integer >= 0" in text


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("graph", "k"), 1, "graph.k: found 1, expected an integer >= 2"),
        (("graph", "weights"), "jacard", "(did you mean 'jaccard'?)"),
        (("graph", "resolution"), "auot", "expected 'auto' or a number > 0"),
        (("graph", "recall"), float("nan"), "graph.recall: found nan, expected a finite number"),
        (("graph", "recall"), "9e-1", "write 1.0e-3 or 0.001"),
        (("cytof", "export_fcs"), "yes", "true or false (without quotes)"),
        (("cytof",), [1], "cytof: found [1], expected a mapping of keys"),
        (("cytof",), "fast", "cytof: found 'fast', expected a mapping of keys"),
        (("cohort", "id"), "../x", "cohort.id: found '../x'"),
        (("cohort", "id"), "a b", "letters, digits"),
        (("cohort", "samples"), None, "cohort.samples: found None, expected text"),
        (("cohort", "samples"), "t.tsv", "(did you mean 's.tsv'?)"),
        (("cohort", "counts"), ".", "is a folder"),
        (("cohort", "timepoint_window"), 2.5, "cohort.timepoint_window: found 2.5, expected an integer"),
    ],
)
def test_one_fault_one_line(base, keys, value, words):
    config = copy.deepcopy(MINIMAL)
    place = config
    for key in keys[:-1]:
        place = place.setdefault(key, {})
    place[keys[-1]] = value
    lines = told(config, base)
    assert len(lines) == 1, lines
    assert words in lines[0]


def test_a_config_that_is_not_a_mapping_is_a_user_error(base):
    with pytest.raises(UserError, match="top level"):
        resolve([], base)


def test_defaults_reach_mappings_in_lists_and_under_free_keys():
    inner = {"type": "object", "properties": {"a": {"type": "integer", "default": 3}}}
    schema = {
        "type": "object",
        "properties": {"list": {"type": "array", "items": inner}},
        "additionalProperties": inner,
    }
    assert fill_defaults({"list": [{}, {"a": 1}], "free": {}}, schema) == {
        "list": [{"a": 3}, {"a": 1}],
        "free": {"a": 3},
    }


def test_faults_finds_what_a_schema_lacks():
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "object", "description": "open", "properties": {}},
        },
    }
    assert list(faults(schema)) == [
        "top level: additionalProperties is neither false nor a schema",
        "a: no description",
        "a: neither default nor required",
        "b: additionalProperties is neither false nor a schema",
    ]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "a number > 0 and <= 1"),
        ({"type": ["string", "null"]}, "text or null"),
        ({"enum": [1, "a", True]}, "one of 1, 'a', true"),
        ({"type": "array", "minItems": 1, "uniqueItems": True}, "a list of at least 1, each once"),
    ],
)
def test_expectations_read_as_words(schema, words):
    assert expectation(schema) == words


@pytest.mark.parametrize("key", ["spillover.matrix", "spillover.single_stains", "debarcoding.key"])
def test_a_side_file_that_is_not_there_is_told_before_anything_is_run(tmp_path, key):
    """Snakemake alone would take an earlier run's result for an up-to-date one."""
    section, name = key.split(".")
    (tmp_path / "s.tsv").write_text("")
    config = {"cohort": {"id": "a", "samples": "s.tsv"}, "cytof": {section: {name: "/nope/m.csv"}}}
    with pytest.raises(UserError, match=f"cytof.{key}: found '/nope/m.csv', expected the path of a file"):
        resolve(config, tmp_path)


def test_a_key_under_its_old_name_is_read_as_the_new_one_with_one_line(base, caplog):
    old = resolve(MINIMAL | {"dynamics": {"links": {"bootstraps": 30}}}, base, "my.yaml")
    assert old == resolve(MINIMAL | {"dynamics": {"identity": {"bootstraps": 30}}}, base)
    assert old["dynamics"]["identity"]["bootstraps"] == 30 and "links" not in old["dynamics"]
    (said,) = caplog.messages  # the new name alone is read without a word
    assert said == "cimlnk: my.yaml: dynamics.links is now called dynamics.identity; please rename it"


def test_a_key_under_both_names_is_a_mistake(base):
    (line,) = told(MINIMAL | {"dynamics": {"links": {"bootstraps": 30}, "identity": {"reach": 0.5}}}, base)
    assert "dynamics.links" in line and "only dynamics.identity" in line
