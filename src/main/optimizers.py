"""How weights are changed: the optimizers and their learning rates, constant or following a schedule."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from main.config import TrainConfig

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


Numbers = dict[str, float]
"""What a schedule computes with, by name."""


@keras.saving.register_keras_serializable(package="optimize")
class PeakedSchedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # no types
    """A learning rate that is `peak` times the fraction that a schedule has for the step.

    The peak and the schedule's numbers are variables: assigning others needs no new trace.

    Args:
        name: Which of `SCHEDULES`.
        peak: The largest learning rate.
        numbers: What the schedule computes its fraction with.
    """

    def __init__(self, name: str, peak: float, numbers: Numbers) -> None:
        self._name = name
        self._peak = _variable("peak_learning_rate", peak)
        self._numbers = {key: _variable(key, number) for key, number in numbers.items()}

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """The learning rate of a step, counted from 0."""
        # Where weight decay multiplies by the rate, TensorFlow goes through the factors in the order of their names. In
        # this scope they come in the order of Keras's own schedules, and models trained with those keep their bits.
        with keras.name_scope("Fraction"):
            fraction = SCHEDULES[self._name].fraction(keras.ops.cast(step, "float32"), **self._numbers)
        return self._peak * fraction

    def assign(self, peak: float, numbers: Numbers) -> None:
        """Follow another peak, and another schedule of the same name."""
        self._peak.assign(peak)
        for key, number in numbers.items():
            self._numbers[key].assign(number)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal schedule."""
        numbers = {key: float(number) for key, number in self._numbers.items()}
        return {"name": self._name, "peak": float(self._peak), "numbers": numbers}


def _variable(name: str, value: float) -> keras.Variable:
    return keras.Variable(value, dtype="float32", trainable=False, name=name)


def _cosine_numbers(train: TrainConfig, steps_per_epoch: int) -> Numbers:
    """What `_cosine` computes with. A warm-up of all epochs leaves no step for the cosine: the rate only rises."""
    final = train.schedule.final or 0.0
    warmup = round((train.schedule.warmup or 0.0) * steps_per_epoch)
    decay = max(1, train.epochs * steps_per_epoch - warmup)
    numbers = {"warmup": warmup, "rise": max(1, warmup), "last": decay + warmup, "fall": 1 - final, "final": final}
    # The same half turn either way, but not the same last bits: they are those of Keras's own schedule, whose constants
    # TensorFlow folds where there is no warm-up.
    if warmup:
        return {**numbers, "half_turn": decay, "angle": math.pi}
    return {**numbers, "half_turn": 1.0, "angle": float(np.float32(math.pi) * np.float32(1 / decay))}


def _cosine(step: Any, *, warmup: Any, rise: Any, last: Any, half_turn: Any, angle: Any, fall: Any, final: Any) -> Any:
    """Linearly from 0 to 1 over the warm-up, then half a cosine down to `final` (Loshchilov & Hutter 2017)."""
    turned = angle * ((keras.ops.minimum(step, last) - warmup) / half_turn)
    falling = fall * (0.5 * (1.0 + keras.ops.cos(turned))) + final
    return keras.ops.where(step < warmup, step / rise, falling)


def _exponential_numbers(train: TrainConfig, steps_per_epoch: int) -> Numbers:
    decay = 0.9 if train.schedule.decay is None else train.schedule.decay
    return {"decay": decay, "epochs_per_step": 1 / steps_per_epoch}


def _exponential(step: Any, *, decay: Any, epochs_per_step: Any) -> Any:
    """From 1, times `decay` over each epoch, a little at every step."""
    return keras.ops.power(decay, step * epochs_per_step)


class Schedule(NamedTuple):
    """How a fraction of the peak follows from the step."""

    numbers: Callable[[TrainConfig, int], Numbers]
    """What it computes with, of a `train` section and the number of steps in an epoch."""
    fraction: Callable[..., Any]
    """The fraction at a step, of the step and these numbers, all of them float32."""


SCHEDULES: Mapping[str, Schedule] = {
    "cosine": Schedule(_cosine_numbers, _cosine),
    "exponential": Schedule(_exponential_numbers, _exponential),
}
"""The schedules that follow from the step alone.

`constant` is none, and `plateau` depends on what training finds: the rate is a plain variable for both.
"""


def make_optimizer(train: TrainConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """The optimizer that a `train` section describes, not yet built.

    Its learning rate is a schedule for cosine and exponential, else a variable; `restart_learning_rate` sets
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


def restart_learning_rate(optimizer: keras.optimizers.Optimizer, train: TrainConfig, steps_per_epoch: int) -> None:
    """Let the learning rate be as `make_optimizer` has it, with no new trace of the training step.

    Args:
        optimizer: Of a `train` section with a schedule of the same name, or one of `constant` and `plateau` either.
        train: How a network is trained.
        steps_per_epoch: Batches in a pass over the training images.
    """
    schedule = optimizer._learning_rate  # `learning_rate` would be the schedule's value at the present step
    rate = base_learning_rate(train)
    if isinstance(schedule, PeakedSchedule):
        schedule.assign(rate, SCHEDULES[train.schedule.name].numbers(train, steps_per_epoch))
    else:
        optimizer.learning_rate.assign(rate)


def base_learning_rate(train: TrainConfig) -> float:
    """The learning rate before any schedule: the optimizer's own where it names one."""
    return train.optimizer.learning_rate or train.learning_rate


def _learning_rate(train: TrainConfig, steps_per_epoch: int) -> float | PeakedSchedule:
    name, rate = train.schedule.name, base_learning_rate(train)
    if name not in SCHEDULES:
        return float(rate)
    return PeakedSchedule(name, rate, SCHEDULES[name].numbers(train, steps_per_epoch))
