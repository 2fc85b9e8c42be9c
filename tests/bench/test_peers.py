"""What the contenders' times and accuracies are made into; no contender runs here."""

import math
from itertools import product
from pathlib import Path

import peers
import pytest
from peers import OURS, SWEEPS, Run, accuracy_lines, agreement, configuration, read_accuracies, times_table

from optimize.config import load_config

BENCH = Path(peers.__file__).parent


def test_a_configuration_has_one_name_whoever_wrote_it() -> None:
    ours = {"model.pooling": "max", "train.learning_rate": "0.001", "model.kernel_size": "3"}
    theirs = {"learning_rate": 1e-3, "kernel_size": 3, "pooling": "max"}
    assert configuration(ours) == configuration(theirs) == "kernel_size=3 learning_rate=0.001 pooling=max"


def test_of_a_trials_table_only_complete_trials_count() -> None:
    row = {"trial": "0", "state": "complete", "model.pooling": "max", "val_accuracy": "0.98"}
    pruned = {**row, "state": "pruned", "model.pooling": "blur", "val_accuracy": "0.5"}
    assert read_accuracies([row, pruned]) == {"pooling=max": 0.98}


def test_seed_noise_is_the_spread_of_one_configuration_over_rounds() -> None:
    ours = [{"a": 0.98, "b": 0.90}, {"a": 0.96, "b": 0.92}]
    theirs = [{"a": 0.97, "b": 0.91}, {"a": 0.99, "b": 0.93}]
    found = agreement(ours, theirs)
    assert found.seed_noise == pytest.approx(math.sqrt(2e-4))  # every pair differs by 0.02
    assert found.mean_difference == pytest.approx(-0.01)
    assert found.largest_difference == pytest.approx(-0.01)
    assert found.allowed == pytest.approx(3 * found.seed_noise)
    assert found.within_noise


def test_a_difference_beyond_noise_is_not_passed_over() -> None:
    ours = [{"a": 0.980, "b": 0.970}, {"a": 0.981, "b": 0.971}]
    theirs = [{"a": 0.980, "b": 0.950}, {"a": 0.981, "b": 0.951}]
    found = agreement(ours, theirs)
    assert found.largest_difference == pytest.approx(0.02)
    assert not found.within_noise
    runs = {
        OURS: [Run(10.0, accuracies, "a") for accuracies in ours],
        "Optuna loop": [Run(30.0, accuracies, "a") for accuracies in theirs],
    }
    assert "NOT within seed noise" in accuracy_lines(runs)[0]


def test_one_round_claims_nothing_of_noise() -> None:
    runs = {OURS: [Run(10.0, {"a": 0.98}, "a")], "Optuna loop": [Run(30.0, {"a": 0.97}, "a")]}
    assert "tells nothing of seed noise" in accuracy_lines(runs)[0]


def test_ratios_are_of_medians_and_held_against_their_targets() -> None:
    runs = {
        OURS: [Run(seconds, {"a": 0.98, "b": 0.96}, "a") for seconds in (10.0, 12.0, 50.0)],
        "Optuna loop": [Run(seconds, {"a": 0.97, "b": 0.95}, "a") for seconds in (30.0, 24.0, 26.0)],
        "Ray Tune": [Run(36.0, {"a": 0.97, "b": 0.95}, "a")] * 3,
    }
    optuna, ray = times_table(runs, {"Optuna loop": 2.4, "Ray Tune": 3.0}).splitlines()[-2:]
    assert [cell.strip() for cell in optuna.split("|")[2:6]] == ["26.0", "24.0 to 30.0", "2.17", "2.4 missed"]
    assert [cell.strip() for cell in ray.split("|")[2:6]] == ["36.0", "36.0 to 36.0", "3.00", "3.0 reached"]


@pytest.mark.parametrize("name", SWEEPS)
def test_the_contenders_and_the_sweep_file_search_the_same_space(name: str) -> None:
    import importlib.util

    location = importlib.util.spec_from_file_location("training", BENCH / "peers" / "training.py")
    assert location
    assert location.loader
    training = importlib.util.module_from_spec(location)
    location.loader.exec_module(training)
    theirs = training.SWEEPS[name]
    sweep = load_config(BENCH / "peers" / SWEEPS[name].file, SWEEPS[name].settings)

    cells = [dict(zip(theirs.grid, values, strict=True)) for values in product(*theirs.grid.values())]
    assert {configuration(cell) for cell in sweep.space.cells()} == {configuration(cell) for cell in cells}
    assert sweep.base.train.epochs == theirs.epochs
    assert sweep.base.train.batch_size == training.BATCH
    assert sweep.base.data.train in (theirs.images, None)
    assert sweep.base.data.validation == training.VALIDATION
    assert (sweep.base.data.train is None) == (theirs.images == 60_000 - training.VALIDATION)
    assert sweep.base.model.initializer == "glorot_uniform"  # type: ignore[attr-defined]
