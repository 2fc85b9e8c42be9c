"""The learning-rate range test of one network: its loss, batch by batch, while the rate rises (Smith 2015)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice
from statistics import fmean

from main.backend import Precision, training_batches
from main.config import TrainingConfig
from main.data import TrainingData
from main.network import network_for

WINDOWS = 20
"""Into so many parts a test is cut, over each of which losses are averaged: that of one batch may be of one image."""
DIVERGED = 4.0
"""A loss so many times the first, or one that is not a number, ends the test."""


def losses_while_rising(
    config: TrainingConfig,
    data: TrainingData,
    rates: Sequence[float],
    *,
    seed: int,
    precision: Precision,
    stop_requested: Callable[[], bool] = lambda: False,
) -> tuple[float, ...]:
    """The training loss of each batch, before the step that its rate takes.

    Args:
        config: data, model and train sections; the rate of its optimizer does not matter.
        data: images and labels; the training images are gone through in the order of a training with this seed.
        rates: the learning rate of each step.
        seed: decides initial weights, data order, dropout and augmentation.
        precision: what layers compute in.
        stop_requested: asked before each batch whether to stop there.

    Returns:
        As many losses as rates, or fewer where training diverged, the last of which may be no number, or was stopped.
    """
    network = network_for(config, data.input_shape, data.n_classes, precision=precision, steps=1)
    network.restart(config, seed)
    network.seed_dropout(seed, 0)
    split = training_batches(data.train, batch_size=config.train.batch_size, augment=config.train.augment)
    window = max(1, len(rates) // WINDOWS)
    losses: list[float] = []
    for rate, (images, labels) in zip(rates, islice(split.starting(seed=seed, epoch=0), len(rates)), strict=True):
        if stop_requested():
            break
        network.optimizer.learning_rate.assign(rate)
        network.trainer.reset_metrics()
        losses.append(float(network.trainer.train_on_batch(images, labels, return_dict=True)["loss"]))
        if not math.isfinite(losses[-1]) or fmean(losses[-window:]) > DIVERGED * fmean(losses[:window]):
            break
    return tuple(losses)
