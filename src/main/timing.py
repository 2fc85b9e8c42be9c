"""How long a training takes, told from a few of its steps.

The coordinator reads the times that a worker sends, so Keras is imported only where something trains.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from main.backend import Precision, validation_batches
from main.config import TrainingConfig
from main.data import TrainingData

TIMED_STEPS = 30
TIMED_EPOCHS = 3


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
        """A trial of `config` on `n_train` images that runs all its epochs."""
        steps = math.ceil(n_train / config.train.batch_size)
        return self.trace + config.train.epochs * (steps * self.step + self.validation)


def time_training(config: TrainingConfig, data: TrainingData, precision: Precision) -> TrainingTimes:
    """Train for a few short epochs, and read the clock."""
    from main.network import network_for
    from main.train import statistics_sample, train

    images = min(TIMED_STEPS * config.train.batch_size, len(data.train))
    short = replace(data, train=data.train.take(slice(images)))
    few = config.train.model_copy(update={"epochs": TIMED_EPOCHS, "early_stopping": None})
    config = replace(config, train=few)
    steps = math.ceil(images / config.train.batch_size)
    first, *others = train(config, short, seed=0, precision=precision).history
    network = network_for(config, data.input_shape, data.n_classes, precision=precision, steps=steps)
    began = time.perf_counter()
    if few.ema is not None:
        network.average_weights(statistics_sample(few, short.train, seed=0, epoch=0))
    network.trainer.evaluate(validation_batches(data.validation), verbose=0)
    validation = time.perf_counter() - began
    epoch = min((epoch.seconds for epoch in others), default=first.seconds)  # none follow one that diverges
    return TrainingTimes(
        trace=max(first.seconds - epoch, 0.0),
        step=max(epoch - validation, 0.0) / (images / config.train.batch_size),
        validation=validation,
    )
