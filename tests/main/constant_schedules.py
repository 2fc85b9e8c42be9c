"""Keras's own schedules, whose numbers are constants of the graph: the bits that models were trained with."""

from typing import Any

import keras

from main.config import TrainConfig
from main.optimizers import SCHEDULES, PeakedSchedule, base_learning_rate


class ConstantSchedule(PeakedSchedule):
    """A schedule of which the peak alone is a variable."""

    def __init__(self, train: TrainConfig, steps_per_epoch: int) -> None:
        name = train.schedule.name
        super().__init__(name, base_learning_rate(train), SCHEDULES[name].numbers(train, steps_per_epoch))
        self._constant = (_exponential if name == "exponential" else _cosine)(train, steps_per_epoch)

    def __call__(self, step: Any) -> Any:
        return self._peak * self._constant(step)


def _exponential(train: TrainConfig, steps_per_epoch: int) -> Any:
    decay = 0.9 if train.schedule.decay is None else train.schedule.decay
    return keras.optimizers.schedules.ExponentialDecay(1.0, steps_per_epoch, decay)


def _cosine(train: TrainConfig, steps_per_epoch: int) -> Any:
    warmup = round((train.schedule.warmup or 0.0) * steps_per_epoch)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else 1.0,
        warmup_target=1.0 if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(1, train.epochs * steps_per_epoch - warmup),
        alpha=train.schedule.final or 0.0,
    )
