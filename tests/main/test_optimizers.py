"""Optimizers and schedules: the arguments they take, what they decay, and the rate at each step."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from constant_schedules import ConstantSchedule

import main.config
import models
from main.config import OptimizerConfig, OptimizerName, ScheduleConfig, TrainConfig
from main.losses import training_loss
from main.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    PeakedSchedule,
    current_learning_rate,
    make_optimizer,
    restart_learning_rate,
)
from models import CnnSpec

STEPS = 5
VALUES: dict[str, Any] = {
    "learning_rate": 0.25,
    "momentum": 0.5,
    "nesterov": True,
    "beta_1": 0.5,
    "beta_2": 0.75,
    "rho": 0.5,
    "epsilon": 1e-3,
}


def rates(schedule: ScheduleConfig, epochs: int, rate: float = 0.1) -> list[float]:
    """The learning rate of every step of a training, and of the one after."""
    optimizer = make_optimizer(TrainConfig(schedule=schedule, epochs=epochs, learning_rate=rate), STEPS)
    found = []
    for step in range(epochs * STEPS + 1):
        optimizer.iterations.assign(step)
        found.append(float(optimizer.learning_rate))
    return found


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    spec = CnnSpec(filters=(3,), batch_norm=True, dropout=0.0, dense_units=(4,))
    return models.build(spec, (8, 8, 1), 4)


def trainer_of(model: keras.Model, train: TrainConfig) -> keras.Model:
    trainer = keras.Model(model.inputs, model.get_layer("logits").output)
    trainer.compile(make_optimizer(train, STEPS), training_loss("crossentropy", 0.0, 4), jit_compile=False)
    return trainer


def batch() -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(0).random((8, 8, 8, 1)).astype("float32"), np.arange(8) % 4


def test_every_optimizer_of_a_section_is_there() -> None:
    assert set(OPTIMIZERS) == set(get_args(OptimizerName))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_takes_every_argument_named_for_it(name: Any) -> None:
    names = main.config.OPTIMIZER_ARGUMENTS[name]

    arguments = {argument: VALUES[argument] for argument in names}
    optimizer = make_optimizer(TrainConfig(optimizer=OptimizerConfig(name=name, **arguments)), STEPS)

    given = optimizer.get_config()
    assert {argument: given[argument] for argument in arguments} == pytest.approx(arguments)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_argument_left_out_is_keras_s_default(name: Any) -> None:
    ours = make_optimizer(TrainConfig(optimizer=OptimizerConfig(name=name), learning_rate=0.5), STEPS)
    theirs = OPTIMIZERS[name](learning_rate=0.5, name=ours.name)

    assert ours.get_config() == theirs.get_config()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_can_be_switched_off(name: Any) -> None:
    train = TrainConfig(optimizer=OptimizerConfig(name=name), weight_decay=0.0)
    assert not make_optimizer(train, STEPS).weight_decay


def test_the_decay_that_the_section_documents_is_adamw_s() -> None:
    decay = make_optimizer(TrainConfig(optimizer=OptimizerConfig(name="adamw")), STEPS).weight_decay
    assert str(decay) in (TrainConfig.model_fields["weight_decay"].description or "")


def test_lion_without_momentum_is_refused() -> None:
    with pytest.raises(ValueError, match="of lion it must be above 0"):
        OptimizerConfig(name="lion", beta_1=0.0)
    assert OptimizerConfig(name="adam", beta_1=0.0).beta_1 == 0.0


def test_the_optimizer_s_own_learning_rate_wins() -> None:
    train = TrainConfig(optimizer=OptimizerConfig(name="sgd", learning_rate=0.25), learning_rate=0.5)
    assert current_learning_rate(make_optimizer(train, STEPS)) == 0.25


def test_the_rate_told_is_that_of_the_last_step() -> None:
    schedule = {"name": "cosine", "warmup": 0, "final": 0.0}
    optimizer = make_optimizer(TrainConfig.model_validate({"epochs": 1, "schedule": schedule}), STEPS)
    assert current_learning_rate(optimizer) == pytest.approx(1e-3)
    optimizer.iterations.assign(STEPS)  # the rate of a step that never comes would be 0
    assert 0 < current_learning_rate(optimizer) < 1e-3


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_shrinks_kernels_and_nothing_else(name: Any) -> None:
    model = network()
    train = TrainConfig(optimizer=OptimizerConfig(name=name), learning_rate=0.5, weight_decay=0.1)
    optimizer = make_optimizer(train, STEPS)
    optimizer.build(model.trainable_variables)
    before = {variable.path: variable.numpy() + 1 for variable in model.trainable_variables}
    for variable in model.trainable_variables:
        variable.assign(before[variable.path])

    optimizer.apply([keras.ops.zeros_like(variable) for variable in model.trainable_variables])

    for variable in model.trainable_variables:
        share = 0.95 if variable.name == "kernel" else 1.0
        np.testing.assert_allclose(variable.numpy(), share * before[variable.path], rtol=1e-6)
    assert {v.name for v in model.trainable_variables} == {"kernel", "bias", "gamma", "beta"}


def test_averaging_keeps_an_average_of_every_weight() -> None:
    model = network()
    optimizer = make_optimizer(TrainConfig(ema=0.9), STEPS)
    optimizer.build(model.trainable_variables)

    assert (optimizer.use_ema, optimizer.ema_momentum) == (True, 0.9)
    assert len(optimizer._model_variables_moving_average) == len(model.trainable_variables)


@pytest.mark.parametrize("name", ["constant", "plateau"])
def test_constant_and_plateau_are_plain_variables(name: Any) -> None:
    optimizer = make_optimizer(TrainConfig(schedule=ScheduleConfig(name=name), learning_rate=0.1), STEPS)
    optimizer.learning_rate.assign(0.05)
    assert current_learning_rate(optimizer) == pytest.approx(0.05)


def test_cosine_falls_from_the_peak_to_zero() -> None:
    expected = [0.1 * (1 + math.cos(math.pi * step / 20)) / 2 for step in range(21)]
    assert rates(ScheduleConfig(name="cosine"), epochs=4) == pytest.approx(expected, abs=1e-8)


def test_cosine_warms_up_linearly_and_ends_at_its_fraction() -> None:
    found = rates(ScheduleConfig(name="cosine", warmup=1.0, final=0.2), epochs=3)

    warmup = [0.1 * step / 5 for step in range(5)]
    falling = [0.02 + 0.08 * (1 + math.cos(math.pi * step / 10)) / 2 for step in range(11)]
    assert found == pytest.approx(warmup + falling, abs=1e-8)


def test_a_warmup_counts_part_epochs() -> None:
    assert np.argmax(rates(ScheduleConfig(name="cosine", warmup=0.6), epochs=2)) == 3


def test_a_warmup_of_the_whole_training_only_rises() -> None:
    found = rates(ScheduleConfig(name="cosine", warmup=2.0), epochs=2)
    assert found == pytest.approx([0.1 * step / 10 for step in range(11)])


@pytest.mark.parametrize(("decay", "factor"), [(0.5, 0.5), (None, 0.9)])
def test_exponential_multiplies_by_its_factor_every_epoch(decay: float | None, factor: float) -> None:
    found = rates(ScheduleConfig(name="exponential", decay=decay), epochs=3)
    assert found[::STEPS] == pytest.approx([0.1 * factor**epoch for epoch in range(4)])
    assert found == sorted(found, reverse=True)


SCHEDULED = [
    TrainConfig(epochs=3, schedule=ScheduleConfig(name="cosine")),
    TrainConfig(epochs=7, schedule=ScheduleConfig(name="cosine", final=0.3), learning_rate=0.3),
    TrainConfig(epochs=4, schedule=ScheduleConfig(name="cosine", warmup=1.4)),
    TrainConfig(epochs=3, schedule=ScheduleConfig(name="cosine", warmup=3.0, final=0.7), learning_rate=0.01),
    TrainConfig(epochs=2, schedule=ScheduleConfig(name="cosine", warmup=0.05)),  # less than half a step
    TrainConfig(epochs=5, schedule=ScheduleConfig(name="exponential")),
    TrainConfig(epochs=3, schedule=ScheduleConfig(name="exponential", decay=0.37), learning_rate=0.2),
]


def compiled_rates(schedule: Any, epochs: int, steps: int) -> list[float]:
    """Of every step of a training, and of the one after, as a compiled training step has them."""
    rate = tf.function(schedule)
    return [float(rate(tf.constant(step, tf.int64))) for step in range(epochs * steps + 1)]


@pytest.mark.parametrize("train", SCHEDULED, ids=lambda train: str(train.schedule))
@pytest.mark.parametrize("steps", [5, 13])
def test_a_schedule_of_variables_has_the_bits_of_one_of_constants(train: TrainConfig, steps: int) -> None:
    ours = make_optimizer(train, steps)._learning_rate
    constant = ConstantSchedule(train, steps)
    assert compiled_rates(ours, train.epochs, steps) == compiled_rates(constant, train.epochs, steps)


@pytest.mark.parametrize("train", SCHEDULED, ids=lambda train: str(train.schedule))
def test_a_learning_rate_restarts_where_a_fresh_one_begins(train: TrainConfig) -> None:
    others = [other for other in SCHEDULED if other.schedule.name == train.schedule.name]
    fresh = compiled_rates(make_optimizer(train, STEPS)._learning_rate, train.epochs, STEPS)
    for other in others:
        optimizer = make_optimizer(other, STEPS)
        restart_learning_rate(optimizer, train, STEPS)
        assert compiled_rates(optimizer._learning_rate, train.epochs, STEPS) == fresh


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_restored_from_its_own_description(name: Any) -> None:
    optimizer = make_optimizer(TrainConfig(schedule=ScheduleConfig(name=name)), STEPS)

    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    for copy in (optimizer, restored):
        copy.iterations.assign(7)

    assert isinstance(restored._learning_rate, PeakedSchedule)
    assert current_learning_rate(restored) == current_learning_rate(optimizer) > 0


@pytest.mark.training
@pytest.mark.parametrize("name", ["constant", *SCHEDULES])
def test_another_learning_rate_needs_no_new_trace(name: Any) -> None:
    images, labels = batch()
    sgd = OptimizerConfig(name="sgd", momentum=0.0)
    train = TrainConfig(optimizer=sgd, schedule=ScheduleConfig(name=name), learning_rate=0.1)
    faster = train.model_copy(update={"learning_rate": 0.3})
    trainer = trainer_of(network(), train)
    fresh = trainer.get_weights()
    trainer.train_on_batch(images, labels)
    step = trainer.get_layer("logits").bias.numpy()
    traced = trainer.train_function

    trainer.set_weights(fresh)
    trainer.optimizer.iterations.assign(0)
    restart_learning_rate(trainer.optimizer, faster, STEPS)
    trainer.train_on_batch(images, labels)

    assert trainer.train_function is traced
    np.testing.assert_allclose(trainer.get_layer("logits").bias.numpy(), 3 * step, rtol=1e-4)


TRAININGS = [
    *(TrainConfig(optimizer=OptimizerConfig(name=name), learning_rate=0.01) for name in get_args(OptimizerName)),
    TrainConfig(optimizer=OptimizerConfig(name="sgd", momentum=0.9, nesterov=True)),
    TrainConfig(schedule=ScheduleConfig(name="cosine", warmup=0.4), weight_decay=0.01, ema=0.9),
    TrainConfig(schedule=ScheduleConfig(name="exponential")),
    TrainConfig(schedule=ScheduleConfig(name="plateau")),
]


@pytest.mark.training
@pytest.mark.parametrize("train", TRAININGS, ids=lambda train: f"{train.optimizer.name}-{train.schedule.name}")
def test_trains_a_step_and_reloads_with_keras_alone(train: TrainConfig, tmp_path: Path) -> None:
    images, labels = batch()
    model = network()
    trainer = trainer_of(model, train)
    before = model.get_layer("conv_1").kernel.numpy()

    losses = [trainer.train_on_batch(images, labels) for _ in range(2)]  # a warm-up's first step stands still
    model.save(tmp_path / "cnn.h5", include_optimizer=False)
    reloaded = keras.models.load_model(tmp_path / "cnn.h5")

    assert np.isfinite(losses).all()
    assert not np.array_equal(model.get_layer("conv_1").kernel.numpy(), before)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model(images)), keras.ops.convert_to_numpy(reloaded(images))
    )
