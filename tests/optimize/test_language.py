"""The questions of a real study, each in the language as it is: nothing in it has a case of its own."""

import pytest
from loading import loaded

from optimize.space import label

HEAD = "data: {source: digits}\n"
QUESTIONS = {
    "kernel size": ("model: {pooling: average, kernel_size: {choices: [3, 5, 7]}, filters: [32]}", ["3", "5", "7"]),
    "optimizer with its own rate": (
        "train: {optimizer: {choices: [{name: rmsprop, learning_rate: 0.01}, {name: sgd, learning_rate: 0.1}]}}",
        ["{name: rmsprop, learning_rate: 0.01}", "{name: sgd, learning_rate: 0.1}"],
    ),
    "loss": ("train: {loss: {choices: [kl_divergence, crossentropy]}}", ["kl_divergence", "crossentropy"]),
    "batch size": ("train: {batch_size: {choices: [16, 512]}}", ["16", "512"]),
    "batch size by a range": ("train: {batch_size: {low: 16, high: 64, step: 16}}", ["16", "32", "48", "64"]),
    "pooling": ("model: {pooling: {choices: [max, average]}, initializer: uniform}", ["max", "average"]),
    "number of convolutions": ("model: {filters: {choices: [[16], [16, 32]]}}", ["[16]", "[16, 32]"]),
    "number of dense layers": ("model: {dense_units: {choices: [[], [20], [20, 20]]}}", ["[]", "[20]", "[20, 20]"]),
    "units of a dense layer": ("model: {dense_units: [{choices: [32, 64]}]}", ["32", "64"]),
    "dropout": ("model: {dropout: {low: 0, high: 0.5, step: 0.25}}", ["0.0", "0.25", "0.5"]),
    "slope": ("model: {activation: leaky_relu, leaky_relu_slope: {choices: [0, 0.05, 1]}}", ["0", "0.05", "1"]),
    "augmentation": (
        "train: {augment: {choices: [null, {shear: 0.1, shift: 0.02, rotation: 8, zoom: 0.08}]}}",
        ["null", "{shear: 0.1, shift: 0.02, rotation: 8, zoom: 0.08}"],
    ),
    "batch normalisation": ("model: {batch_norm: {choices: [false, true]}}", ["false", "true"]),
    "schedule": (
        "train: {schedule: {choices: [constant, {name: cosine, warmup: 1}]}}",
        ["constant", "{name: cosine, warmup: 1}"],
    ),
    "early stopping": ("train: {early_stopping: {choices: [null, 3]}}", ["null", "3"]),
}


@pytest.mark.parametrize(("text", "labels"), QUESTIONS.values(), ids=list(QUESTIONS))
def test_a_question_is_one_swept_value(text: str, labels: list[str]) -> None:
    model = "" if text.startswith("model") else "model: {network: cnn}\n"
    config = loaded(HEAD + model + text + "\n")
    (parameter,) = config.space.parameters
    assert [label(value) for value in parameter.grid()] == labels
    assert [config.space.configuration_label(cell) for cell in config.space.cells()] == labels
    trainings = [config.concrete(cell) for cell in config.space.cells()]
    assert all(one != other for n, one in enumerate(trainings) for other in trainings[:n])


def test_an_argument_counts_only_for_the_optimizer_that_takes_it() -> None:
    config = loaded(
        HEAD
        + "model: {network: cnn}\ntrain:\n  optimizer:\n    name: {choices: [sgd, adam]}\n"
        + "    momentum: {choices: [0.5, 0.9], when: {train.optimizer.name: sgd}}\n"
    )
    assert [config.space.configuration_label(cell) for cell in config.space.cells()] == [
        "name=sgd momentum=0.5",
        "name=sgd momentum=0.9",
        "name=adam",
    ]
    assert config.concrete({"train.optimizer.name": "adam"}).train.optimizer.momentum is None
