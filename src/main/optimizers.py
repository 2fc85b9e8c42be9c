"""How weights are changed: the optimizers and their learning rates, constant or following a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from main.config import ScheduleConfig, TrainConfig

OPTIMIZERS: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
    "sgd": keras.optimizers.SGD,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
    "nadam": keras.optimizers.Nadam,
    "adagrad": keras.optimizers.Adagrad,
    "adadelta": keras.optimizers.Adadelta,
    "lion": keras.optimizers.Lion,
}
"""Keras's optimizers by name."""

NOT_DECAYED = ("bias", "gamma", "beta")
"""Names of variables that weight decay leaves alone: offsets, and the scales and offsets of normalisation."""


@keras.saving.register_keras_serializable(package="optimize")
class PeakedSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # no types
    """A learning rate that is `peak` times what `shape` says of the step.

    Args:
        peak: The largest learning rate.
        shape: A schedule between 0 and 1.

    Attributes:
        peak: The largest learning rate, a variable: assigning another needs no new trace.
    """

    def __init__(self, peak: float, shape: keras.optimizers.schedules.LearningRateSchedule) -> None:
        self.peak = keras.Variable(peak, dtype="float32", trainable=False, name="peak_learning_rate")
        self.shape = shape

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """The learning rate of a step, counted from 0."""
        return self.peak * self.shape(step)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        return {"peak": float(self.peak), "shape": keras.saving.serialize_keras_object(self.shape)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PeakedSchedule:
        """The schedule that `get_config` described."""
        return cls(config["peak"], keras.saving.deserialize_keras_object(config["shape"]))


def _cosine(
    schedule: ScheduleConfig, epochs: int, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Linearly from 0 to 1 over the warm-up, then half a cosine down to `final` (Loshchilov & Hutter 2017).

    A warm-up of all epochs leaves no step for the cosine: the rate only rises.
    """
    warmup_steps = round((schedule.warmup or 0.0) * steps_per_epoch)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup_steps else 1.0,
        warmup_target=1.0 if warmup_steps else None,
        warmup_steps=warmup_steps,
        decay_steps=max(1, epochs * steps_per_epoch - warmup_steps),
        alpha=schedule.final or 0.0,
    )


def _exponential(
    schedule: ScheduleConfig, epochs: int, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """From 1, times `decay` over each epoch, a little at every step."""
    decay = 0.9 if schedule.decay is None else schedule.decay
    return keras.optimizers.schedules.ExponentialDecay(1.0, decay_steps=steps_per_epoch, decay_rate=decay)


SCHEDULES: dict[str, Callable[[ScheduleConfig, int, int], keras.optimizers.schedules.LearningRateSchedule]] = {
    "cosine": _cosine,
    "exponential": _exponential,
}
"""The schedules that follow from the step alone, as a fraction of their peak.

`constant` is none, and `plateau` depends on what training finds: the rate is a plain variable for both.
"""


def make_optimizer(train: TrainConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer that a `train` section describes, not yet built.

    Its learning rate is a schedule for cosine and exponential, else a variable; `set_learning_rate` sets
    either. Weight decay is decoupled for every optimizer (Loshchilov & Hutter 2019), and of kernels only.
    Arguments that the section leaves out are Keras's own defaults.

    Args:
        train: How a network is trained.
        steps_per_epoch: Batches in a pass over the training images.
    """
    arguments = train.optimizer.model_dump(exclude_none=True, exclude={"name", "learning_rate"})
    if train.ema is not None:
        arguments |= {"use_ema": True, "ema_momentum": train.ema}
    if train.weight_decay is not None and (train.weight_decay or train.optimizer.name == "adamw"):
        # 0 undoes AdamW's default; to the others it would mean a pass over all weights at every step.
        arguments["weight_decay"] = train.weight_decay
    rate = _learning_rate(train, steps_per_epoch)
    optimizer = OPTIMIZERS[train.optimizer.name](learning_rate=rate, **arguments)
    optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    return optimizer


def current_learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """The learning rate of the step that the optimizer took last; of its first, before it."""
    schedule = optimizer._learning_rate
    if isinstance(schedule, PeakedSchedule):
        return float(schedule(max(int(optimizer.iterations) - 1, 0)))
    return float(optimizer.learning_rate)


def set_learning_rate(optimizer: keras.optimizers.Optimizer, rate: float) -> None:
    """Make `rate` the learning rate, or the peak of its schedule, with no new trace of the training step."""
    schedule = optimizer._learning_rate  # `learning_rate` would be the schedule's value at the present step
    if isinstance(schedule, PeakedSchedule):
        schedule.peak.assign(rate)
    else:
        optimizer.learning_rate.assign(rate)


def _learning_rate(train: TrainConfig, steps_per_epoch: int) -> float | PeakedSchedule:
    rate = train.learning_rate if train.optimizer.learning_rate is None else train.optimizer.learning_rate
    if train.schedule.name not in SCHEDULES:
        return float(rate)
    return PeakedSchedule(rate, SCHEDULES[train.schedule.name](train.schedule, train.epochs, steps_per_epoch))
