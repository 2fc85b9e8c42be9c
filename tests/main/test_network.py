"""What restarting a traced network must leave alone."""

import dataclasses
import random
import threading
from typing import Any

import pytest

from main.config import DataConfig, TrainConfig, TrainingConfig
from models.spec import CnnSpec

pytestmark = pytest.mark.training


def test_a_restart_discards_none_of_the_compiled_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting TensorFlow's seed would: every function would be optimised again at its next call."""
    import tensorflow as tf

    from main.network import TracedNetwork

    config = TrainingConfig(DataConfig(source="digits"), CnnSpec(filters=(2,)), TrainConfig())
    network = TracedNetwork(config, (28, 28, 1), 10, precision="float32", steps=2)
    seeds: list[int] = []
    monkeypatch.setattr(tf.random, "set_seed", seeds.append)
    monkeypatch.setattr(tf.compat.v1, "set_random_seed", seeds.append)
    network.restart(config, seed=3)
    assert seeds == []


def test_a_restart_draws_the_weights_of_its_seed() -> None:
    from main.network import TracedNetwork

    config = TrainingConfig(DataConfig(source="digits"), CnnSpec(filters=(2,)), TrainConfig())
    network = TracedNetwork(config, (28, 28, 1), 10, precision="float32", steps=2)
    kernels = []
    for seed in (3, 4, 3):
        network.restart(config, seed)
        kernels.append(network.model.get_weights()[0].tolist())
    assert kernels[0] == kernels[2] != kernels[1]


def test_a_restart_finds_layers_of_dropout_that_nobody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another package's network may have them: Keras numbers them on from one network to the next."""
    import keras

    import models
    from main.network import TracedNetwork
    from main.training_form import VariableDropout

    def build(spec: CnnSpec, input_shape: tuple[int, int, int], n_classes: int) -> Any:
        image = keras.Input(input_shape)
        features = keras.layers.Dropout(spec.dropout)(keras.layers.Flatten()(image))
        logits = keras.layers.Dense(n_classes, name="logits")(features)
        return keras.Model(image, keras.layers.Softmax(name="probabilities")(logits))

    monkeypatch.setattr(models, "build", build)
    config = TrainingConfig(DataConfig(source="digits"), CnnSpec(dropout=0.5), TrainConfig())
    network = TracedNetwork(config, (28, 28, 1), 10, precision="float32", steps=2)
    network.restart(dataclasses.replace(config, model=CnnSpec(dropout=0.25)), seed=3)
    (dropout,) = (layer for layer in network.trainer.layers if isinstance(layer, VariableDropout))
    assert float(dropout.rate) == 0.25


def test_other_threads_that_draw_numbers_change_no_weights() -> None:
    """As Dask's do in a worker."""
    from main.network import TracedNetwork

    config = TrainingConfig(DataConfig(source="digits"), CnnSpec(filters=(2,)), TrainConfig())
    network = TracedNetwork(config, (28, 28, 1), 10, precision="float32", steps=2)
    drawn, done = threading.Event(), threading.Event()

    def draw() -> None:
        while not done.is_set():
            random.random()
            drawn.set()

    network.restart(config, seed=3)
    alone = [weight.tolist() for weight in network.model.get_weights()]
    other = threading.Thread(target=draw)
    other.start()
    drawn.wait()
    try:
        for _ in range(10):
            network.restart(config, seed=3)
            assert [weight.tolist() for weight in network.model.get_weights()] == alone
    finally:
        done.set()
        other.join()


def test_every_generator_is_seeded_however_deep_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras
    import numpy as np

    from main.network import TracedNetwork

    config = TrainingConfig(DataConfig(source="digits"), CnnSpec(filters=(2,), dropout=0.5), TrainConfig())
    network = TracedNetwork(config, (28, 28, 1), 10, precision="float32", steps=2)
    inner = keras.Sequential([keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)])
    image = keras.Input((4,))
    network.trainer = keras.Model(image, keras.layers.Dropout(0.5)(inner(image)))

    def states() -> list[list[int]]:
        layers = [*inner.layers, network.trainer.layers[-1]]
        return [np.asarray(layer.seed_generator.state).tolist() for layer in layers]

    network.seed_dropout(1, 2)
    first = states()
    assert len({tuple(state) for state in first}) == 3
    network.seed_dropout(1, 3)
    assert not any(now == before for now, before in zip(states(), first, strict=True))
    network.seed_dropout(1, 2)
    assert states() == first
