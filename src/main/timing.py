"""How long a training takes, told from a few of its steps.

The coordinator reads the times that a worker sends, so Keras is imported only where something trains.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from main.backend import Precision, validation_batches
from main.config import TrainingConfig
from main.data import TrainingData

TIMED_EPOCHS = 3
MOST_STEPS, FEWEST_STEPS = 30, 4
TIMED_OPERATIONS = 1e11
"""About as many are timed an epoch, some seconds of a core: of large networks fewer steps than of small ones."""
_OUTSIDE_STEPS = {"epochs", "early_stopping", "schedule", "learning_rate", "label_smoothing"}


@dataclass(frozen=True)
class TrainingTimes:
    """What one training spends its time on, in seconds of wall time on this machine as busy as it is."""

    trace: float
    """Before the first step of a network that the process has not traced yet."""
    step: float
    """One step of a whole batch."""
    validation: float
    """One pass over the validation images, and the averaging of weights before it."""

    def trial(self, config: TrainingConfig, n_train: int) -> float:
        """A trial of `config` on `n_train` images that runs all its epochs, on a worker that has traced its network."""
        steps = math.ceil(n_train / config.train.batch_size)
        return config.train.epochs * (steps * self.step + self.validation)


def cost_key(config: TrainingConfig) -> str:
    """Equal for configurations whose steps and validations take equally long, whether they share a graph or not.

    Out of it is what a step does not compute with, and of each fraction (a rate, a penalty, a largest rotation) all but
    whether it is 0: what else it is changes no arithmetic, unless it is one from which the sizes of layers follow.
    """
    train = config.train.model_dump(exclude=_OUTSIDE_STEPS)
    return repr((_fractions_as_flags(config.model.model_dump()), _fractions_as_flags(train)))


def _fractions_as_flags(value: object) -> object:
    if isinstance(value, float):
        return bool(value)
    if isinstance(value, Mapping):
        return {key: _fractions_as_flags(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_fractions_as_flags(item) for item in value]
    return value


def time_training(config: TrainingConfig, data: TrainingData, precision: Precision) -> TrainingTimes:
    """Train for a few short epochs of a network that is traced for it, and read the clock."""
    from main.network import forget_networks, network_for
    from main.train import STATISTICS_IMAGES, statistics_sample, train

    images = min(_timed_steps(config, data) * config.train.batch_size, len(data.train))
    validated = min(images, len(data.validation))
    short = replace(data, train=data.train.take(slice(images)), validation=data.validation.take(slice(validated)))
    few = config.train.model_copy(update={"epochs": TIMED_EPOCHS, "early_stopping": None})
    config = replace(config, train=few)
    steps = math.ceil(images / config.train.batch_size)
    forget_networks()  # one that is traced already would seem to need no tracing
    first, *others = train(config, short, seed=0, precision=precision).history
    network = network_for(config, data.input_shape, data.n_classes, precision=precision, steps=steps)

    began = time.perf_counter()
    if few.ema is not None:
        network.average_weights(statistics_sample(few, short.train, seed=0, epoch=0))
    averaging = time.perf_counter() - began
    network.trainer.evaluate(validation_batches(short.validation), verbose=0)
    validation = time.perf_counter() - began - averaging

    epoch = min((epoch.seconds for epoch in others), default=first.seconds)  # none follow one that diverges
    return TrainingTimes(
        trace=max(first.seconds - epoch, 0.0),
        step=max(epoch - averaging - validation, 0.0) / (images / config.train.batch_size),
        validation=averaging * min(STATISTICS_IMAGES, len(data.train)) / min(STATISTICS_IMAGES, images)
        + validation * len(data.validation) / validated,
    )


def _timed_steps(config: TrainingConfig, data: TrainingData) -> int:
    multiply_adds = sum(layer.multiply_adds for layer in config.model.layers(data.input_shape, data.n_classes))
    operations = 6 * multiply_adds * config.train.batch_size  # a multiply-add is two; backward takes twice as many
    return max(FEWEST_STEPS, min(MOST_STEPS, int(TIMED_OPERATIONS / max(operations, 1))))
