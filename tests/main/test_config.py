from pathlib import Path
from typing import Any

import pytest

from main.complaints import ConfigError
from main.config import (
    OPTIMIZER_ARGUMENTS,
    SCHEDULE_ARGUMENTS,
    EarlyStoppingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
    TrainingConfig,
    load,
    name_of,
)
from models import MlpSpec

SMALL = "data: {source: digits}\nmodel: {network: mlp, hidden_units: [16]}\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    return path


def messages(tmp_path: Path, text: str, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(written(tmp_path, text), overrides)
    return [f"{complaint.path}: {complaint.message}" for complaint in raised.value.complaints]


def train(**values: Any) -> TrainConfig:
    return TrainConfig.model_validate(values)


def test_a_file_without_anything_swept_is_a_training(tmp_path: Path) -> None:
    config = load(written(tmp_path, SMALL), ["train.epochs=3"])
    assert config.model == MlpSpec(hidden_units=(16,))
    assert config.train == TrainConfig(epochs=3)


def test_a_training_survives_its_own_description(tmp_path: Path) -> None:
    text = SMALL + "train: {optimizer: {name: sgd, momentum: 0.9}, augment: {shift: 0.1}, early_stopping: 3}\n"
    config = load(written(tmp_path, text))
    assert TrainingConfig.from_dict(config.to_dict()) == config


def test_what_describes_no_training_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"train\.epochs: must be at least 1, but read 0"):
        TrainingConfig.from_dict({"train": {"epochs": 0}})


def test_missing_sections_and_foreign_ones_are_named(tmp_path: Path) -> None:
    assert messages(tmp_path, "study: {}\nmodle: {}\n") == [
        "data: required: which images, and which of them train and validate",
        "model: required: the network",
        "study: of a sweep, and this command trains once",
        "modle: unknown key; did you mean 'model'?",
    ]


@pytest.mark.parametrize(("name", "said"), [("../x", "a name is 1 to 64 of"), ("3", "expected a word")])
def test_a_name_that_no_folder_can_have_is_refused(tmp_path: Path, name: str, said: str) -> None:
    assert [said in message for message in messages(tmp_path, f"name: {name}\n{SMALL}")] == [True]


def test_a_training_is_called_by_its_name_or_its_file(tmp_path: Path) -> None:
    assert name_of(written(tmp_path, f"name: mine\n{SMALL}")) == "mine"
    assert name_of(written(tmp_path, SMALL)) == written(tmp_path, SMALL).stem


def test_what_is_swept_is_told_where_it_stands(tmp_path: Path) -> None:
    text = "data: {}\nmodel: {filters: [{choices: [8, 9]}], dropout: {low: 0, high: 1}}\ntrain: {winner: x}\n"
    said = "is swept, and this command trains once"
    assert messages(tmp_path, text) == [f"model.filters.0: {said}", f"model.dropout: {said}", f"train: {said}"]


def test_an_unknown_network_is_named_with_the_nearest(tmp_path: Path) -> None:
    assert messages(tmp_path, "data: {}\nmodel: {network: cn}\n") == [
        "model.network: unknown value 'cn'; did you mean 'cnn'?"
    ]


def test_a_key_of_another_network_is_told_so(tmp_path: Path) -> None:
    assert messages(tmp_path, "data: {}\nmodel: {hidden_units: [3]}\n") == [
        "model.hidden_units: unknown key of network cnn; it is of mlp"
    ]


def test_names_and_numbers_abbreviate_sections() -> None:
    assert train(optimizer="sgd").optimizer == OptimizerConfig(name="sgd")
    assert train(schedule="cosine").schedule == ScheduleConfig(name="cosine")
    assert train(early_stopping=3).early_stopping == EarlyStoppingConfig(patience=3)


@pytest.mark.parametrize("name", OPTIMIZER_ARGUMENTS)
def test_an_optimizer_takes_its_own_arguments_and_no_others(name: str) -> None:
    values: dict[str, Any] = {"momentum": 0.9, "nesterov": True, "rho": 0.9, "epsilon": 1e-7}
    values |= {"beta_1": 0.8, "beta_2": 0.99}
    for argument, value in values.items():
        taken = argument in OPTIMIZER_ARGUMENTS[name]
        section = {"name": name, argument: value}
        if argument == "nesterov":
            section["momentum"] = 0.9
        if taken:
            assert getattr(OptimizerConfig.model_validate(section), argument) == value
        else:
            with pytest.raises(ValueError, match=rf"{name} does not take it"):
                OptimizerConfig.model_validate(section)


@pytest.mark.parametrize("momentum", ["", ", momentum: 0", ", momentum: null"])
def test_nesterov_momentum_without_any_is_refused(tmp_path: Path, momentum: str) -> None:
    """Keras would take a plain step."""
    text = SMALL + f"train: {{optimizer: {{name: sgd, nesterov: true{momentum}}}}}\n"
    assert messages(tmp_path, text) == ["train.optimizer.nesterov: Nesterov momentum needs `momentum` above 0"]


def test_momentum_that_is_refused_itself_is_told_once(tmp_path: Path) -> None:
    text = SMALL + "train: {optimizer: {name: sgd, momentum: 2, nesterov: true}}\n"
    assert [message.split(":")[0] for message in messages(tmp_path, text)] == ["train.optimizer.momentum"]


@pytest.mark.parametrize("name", SCHEDULE_ARGUMENTS)
def test_a_schedule_takes_its_own_arguments_and_no_others(name: str) -> None:
    values = {"warmup": 1, "final": 0.1, "decay": 0.5, "patience": 2}
    for argument, value in values.items():
        section = {"name": name, argument: value}
        if argument in SCHEDULE_ARGUMENTS[name]:
            assert getattr(ScheduleConfig.model_validate(section), argument) == value
        else:
            with pytest.raises(ValueError, match=rf"{name} does not take it"):
                ScheduleConfig.model_validate(section)


def test_labels_of_losses_that_are_no_distributions_are_not_smoothed() -> None:
    assert train(loss="focal", label_smoothing=0.1).label_smoothing == 0.1
    with pytest.raises(ValueError, match="alone, but loss is mse"):
        train(loss="mse", label_smoothing=0.1)


def test_warming_up_ends_before_training_does() -> None:
    assert train(schedule={"name": "cosine", "warmup": 3}, epochs=3).epochs == 3
    with pytest.raises(ValueError, match="2 epochs are fewer than the 3 over which schedule warms up"):
        train(schedule={"name": "cosine", "warmup": 3}, epochs=2)
    with pytest.raises(ValueError, match="6 epochs are fewer than the 10 over which schedule warms up"):
        train(schedule={"name": "cosine", "warmup": 10})  # of as many epochs as there are unless written
