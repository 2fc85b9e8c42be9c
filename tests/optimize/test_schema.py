import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from main.document import read
from optimize.schema import json_schema

REPOSITORY = Path(__file__).parents[2]
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
CONFIGS = sorted((REPOSITORY / "configs").rglob("*.yaml"))


def valid(**sections: Any) -> bool:
    return bool(VALIDATOR.is_valid({"data": {}, "model": {}, **sections}))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_committed_schema_is_current() -> None:
    committed = json.loads((REPOSITORY / "docs" / "sweep.schema.json").read_text())
    assert committed == SCHEMA, "write it anew: python -m optimize schema > docs/sweep.schema.json"


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_config_names_the_schema_and_satisfies_it(config: Path) -> None:
    first_line = config.read_text().splitlines()[0]
    named = first_line.removeprefix("# yaml-language-server: $schema=")
    assert (config.parent / named).resolve() == REPOSITORY / "docs" / "sweep.schema.json"
    VALIDATOR.validate(json.loads(json.dumps(read(config).data)))


@pytest.mark.parametrize(
    "value",
    [
        0.5, {"choices": [0.1, 0.5]}, {"low": 0.1, "high": 0.5, "log": True}, {"winner": "dropout", "otherwise": 0.3},
        {"winner": "dropout", "over": 0.3},
        {"low": 0, "high": 0.5, "step": 0.1, "when": {"model.pooling": ["max", "blur"]}},
    ],
)  # fmt: skip
def test_a_value_or_what_may_stand_in_its_place(value: Any) -> None:
    assert valid(model={"dropout": value})


@pytest.mark.parametrize(
    "value",
    ["x", 1.5, {"choices": []}, {"choices": ["x"]}, {"choices": [0.1, 0.1]}, {"low": 0.1}, {"low": 0.1, "high": 3},
     {"choices": [{"choices": [0.1]}]}, {"winner": "a/b"}, {"winner": "x", "otherwise": "y"}, {"choises": [0.1]}],
)  # fmt: skip
def test_nothing_else_may(value: Any) -> None:
    assert not valid(model={"dropout": value})


def test_whole_numbers_have_ranges_of_whole_numbers_and_words_have_none() -> None:
    assert valid(model={"pool_size": {"low": 1, "high": 3}})
    assert not valid(model={"pool_size": {"low": 1.5, "high": 3}})
    assert not valid(model={"padding": {"low": 1, "high": 3}})


def test_each_network_has_its_own_keys_and_a_swept_one_has_all() -> None:
    assert valid(model={"network": "mlp", "hidden_units": [3]})
    assert not valid(model={"network": "mlp", "filters": [3]})
    assert not valid(model={"hidden_units": [3]})
    assert valid(model={"network": {"choices": ["cnn", "mlp"]}, "hidden_units": [3], "filters": [3]})
    assert not valid(model={"network": "resnet"})


def test_a_section_as_a_whole_may_be_choices_or_a_winner() -> None:
    assert valid(model={"choices": [{"filters": [8]}, {"network": "mlp", "hidden_units": [3]}]})
    assert valid(model={"winner": "networks", "otherwise": {"filters": [8]}})
    assert valid(train={"choices": [{"epochs": 3}, {"loss": "mse"}]})
    assert not valid(model={"choices": [{"filters": [8]}, {"hidden_units": [3]}]})
    assert not valid(model={"choices": [{"filters": {"choices": [[8], [9]]}}]})
    assert not valid(train={"choices": [{"epochs": "x"}]})


def test_abbreviations_are_allowed_and_arguments_belong_to_their_name() -> None:
    assert valid(train={"optimizer": "adam", "schedule": "cosine", "early_stopping": 3})
    assert valid(train={"optimizer": {"choices": ["adam", {"name": "sgd", "momentum": 0.9}]}})
    assert valid(train={"optimizer": {"name": "sgd", "momentum": {"choices": [0.5, 0.9]}}})
    assert valid(study={"sampler": "tpe", "pruner": {"name": "asha", "reduction_factor": 2}, "stop": {"time": "30m"}})
    assert not valid(study={"sampler": {"name": "tpe", "population_size": 3}})
    assert not valid(study={"sampler": {"n_startup_trials": 3}})


def properties(node: Any, where: str = "") -> list[tuple[str, Any]]:
    found = []
    if isinstance(node, dict):
        for key, value in node.get("properties", {}).items():
            found.append((f"{where}/{key}", value))
        for key, value in node.items():
            found += properties(value, f"{where}/{key}")
    return found


def test_every_field_is_described_and_has_its_default() -> None:
    concrete = [(where, value) for where, value in properties(SCHEMA) if "Swept" not in where]
    undescribed = [where for where, value in concrete if not {"description", "$ref", "const"} & set(value)]
    assert not [where for where in undescribed if not where.endswith(("/over", "/otherwise", "/network", "/when"))]
    tpe = SCHEMA["$defs"]["TpeSampler"]["properties"]
    assert tpe["n_startup_trials"]["default"] == 10
    assert SCHEMA["$defs"]["TrainConfigSwept"]["properties"]["epochs"]["default"] == 6
