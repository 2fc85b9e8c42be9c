import numpy as np
import pandas as pd
import pytest
from loading import loaded
from trial_tables import as_read, grid, row

from optimize.trialtable import (
    blocks_of,
    by_choice_and_block,
    cell_label,
    cell_value,
    judged_trials,
    planned_epochs,
    swept_paths,
    values_of,
)


def test_a_table_has_a_row_per_choice_and_a_column_per_seed() -> None:
    table = by_choice_and_block(grid({"max": [0.9, 0.8], "average": [0.7, "failed"]}), "val_accuracy", "configuration")
    assert list(table.index) == ["max", "average"]
    assert table.to_numpy() == pytest.approx(np.array([[0.9, 0.8], [0.7, np.nan]]), nan_ok=True)


@pytest.mark.parametrize(
    ("train", "cells", "epochs"),
    [
        ("{learning_rate: {choices: [0.1, 0.2]}, epochs: 7}", {"train.learning_rate": [0.1, 0.2]}, [7, 7]),
        ("{epochs: {choices: [3, 9]}}", {"train.epochs": [9, 3]}, [9, 3]),
        (
            "{epochs: {low: 2, high: 9, step: 1, when: {model.pooling: max}}}",
            {"model.pooling": ["max", "stride"], "train.epochs": [4, None]},
            [4, 6],
        ),
        ("{choices: [{epochs: 3}, {loss: focal}]}", {"train": ["{epochs: 3}", "{loss: focal}"]}, [3, 6]),
    ],
    ids=["not swept", "swept", "off", "within a section"],
)
def test_each_trial_has_its_own_epochs(train: str, cells: dict[str, list[object]], epochs: list[int]) -> None:
    config = loaded(f"data: {{source: digits}}\nmodel: {{pooling: {{choices: [max, stride]}}}}\ntrain: {train}\n")
    trials = as_read(pd.DataFrame({"configuration": "x", **cells}, index=range(2)))
    assert planned_epochs(trials, config.space, config.base.train.epochs).tolist() == epochs


@pytest.mark.parametrize("value", ["failed", "pruned", float("nan"), float("inf")])
def test_only_complete_and_finite_trials_count(value: float | str) -> None:
    table = by_choice_and_block(grid({"max": [0.9, value], "average": [value]}), "val_accuracy", "configuration")
    assert table.to_dict("index") == {"max": {0: 0.9}}


def test_trials_of_one_choice_and_seed_are_averaged() -> None:
    trials = pd.DataFrame([row("max", 0, 0.8), row("max", 0, 0.9)])
    assert by_choice_and_block(trials, "val_accuracy", "configuration").loc["max", 0] == pytest.approx(0.85)


def test_a_complete_confirmation_is_what_is_judged() -> None:
    trials = pd.DataFrame([row("max", 0, 0.9), row("max", 1, 0.8, purpose="confirm")])
    assert judged_trials(trials)[1] == "confirm"
    assert list(judged_trials(trials)[0]["seed"]) == [1]


def test_a_confirmation_that_has_nothing_complete_yet_is_not() -> None:
    trials = pd.DataFrame([row("max", 0, 0.9), row("max", 1, "failed", purpose="confirm")])
    judged, purpose = judged_trials(trials)
    assert (purpose, list(judged["seed"])) == ("search", [0])


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("max", "max"),
        ("[32, 64]", (32, 64)),
        ("{name: sgd, learning_rate: 1e-3}", {"name": "sgd", "learning_rate": 1e-3}),
        ("null", None),
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.True_, True),
        ("0.001", 0.001),
        ("a: b: c", "a: b: c"),
    ],
)
def test_a_cell_is_read_as_the_value_it_was_written_from(cell: object, value: object) -> None:
    found = cell_value(cell)
    assert found == value
    assert type(found) is type(value)


def test_the_values_of_a_choice_survive_the_csv() -> None:
    trials = pd.DataFrame(
        [
            row("a", 0, 0.9, path="model.filters")
            | {"model.filters": "[8, 16]", "train.batch_size": 64, "model.batch_norm": True},
            row("b", 0, 0.9, path="model.filters")
            | {"model.filters": "[32]", "train.batch_size": np.nan, "model.batch_norm": False},
        ]
    )
    read = as_read(trials)
    assert values_of(read, "configuration", "a") == {
        "model.filters": (8, 16),
        "train.batch_size": 64,
        "model.batch_norm": True,
    }
    assert type(values_of(read, "configuration", "a")["train.batch_size"]) is int
    assert values_of(read, "configuration", "b") == {"model.filters": (32,), "model.batch_norm": False}
    assert values_of(read, "configuration", None) == {}


def test_labels_are_those_of_the_sweep_file() -> None:
    assert [cell_label(cell) for cell in ("max", 0.001, 3, np.True_, False)] == ["max", "0.001", "3", "true", "false"]


def test_swept_paths_are_the_columns_that_are_paths() -> None:
    assert swept_paths(grid({"max": [0.9]})) == ["model.pooling"]


def test_a_section_that_is_swept_as_a_whole_is_a_column_too() -> None:
    trials = grid({"{filters: [8]}": [0.9]}, path="model")
    assert swept_paths(trials) == ["model"]
    assert values_of(as_read(trials), "configuration", "{filters: [8]}") == {"model": {"filters": (8,)}}


def test_trials_of_several_seeds_and_folds_are_paired_by_both() -> None:
    trials = pd.concat([grid({"max": [0.9, 0.8], "blur": [0.7, 0.6]}).assign(fold=fold) for fold in (0, 1)])
    assert by_choice_and_block(trials, "val_accuracy", "configuration").loc["max"].tolist() == [0.9, 0.9, 0.8, 0.8]


def test_a_table_without_folds_is_paired_by_seed() -> None:
    trials = grid({"max": [0.9, 0.8]}).assign(fold=np.nan)
    assert blocks_of(trials).tolist() == blocks_of(trials.drop(columns="fold")).tolist() == [0, 1]
