"""One training, from data to the best epoch's weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from main import checkpoint as checkpoints
from main.backend import Precision, statistics_batches, training_batches, validation_batches
from main.config import TrainConfig, TrainingConfig
from main.data import Split, TrainingData
from main.history import Epoch, best_epoch, exhausted, plateau_factor
from main.network import TracedNetwork, arrays, network_for
from main.optimizers import base_learning_rate, current_learning_rate
from main.provenance import decisive_versions

STATISTICS_IMAGES = 4096
"""Training images on which the normalisation statistics of averaged weights are measured, about as many."""

Stopped = Literal["early", "diverged", "requested"]


@dataclass(frozen=True)
class TrainResult:
    """What a training leaves."""

    history: tuple[Epoch, ...]
    """One entry per epoch trained, in order."""
    best_epoch: int | None
    """The epoch (from 1) with the best metric; None where no epoch gave a finite one."""
    weights: list[np.ndarray]
    """float32 weights of the best epoch, in the order of the model's `weights`; empty where there is no best."""
    parameters: int
    """Number of scalars in the model's weights."""
    stopped: Stopped | None
    """Why training ended before its last epoch, if it did."""
    resumed: bool = False
    """Whether it went on from a checkpoint."""


def train(
    config: TrainingConfig,
    data: TrainingData,
    *,
    seed: int,
    precision: Precision = "float32",
    metric: str = "val_accuracy",
    on_epoch: Callable[[Epoch], bool] | None = None,
    checkpoint_folder: Path | None = None,
) -> TrainResult:
    """Train one network and keep the weights of its best epoch.

    The same arguments give the same weights, to the bit, on one thread of one kind of processor, whether the process
    has trained before or not, and whether training was interrupted after any epoch or not.

    Args:
        config: data, model and train sections.
        data: images and labels to train and validate on.
        seed: decides initial weights, data order, dropout and augmentation.
        precision: what layers compute in; variables and the result are float32.
        metric: which validation figure decides the best epoch and early stopping.
        on_epoch: called after each epoch, and at the start for each that a checkpoint has kept; training stops where it
            returns True.
        checkpoint_folder: where to leave the state of each epoch, and to look for one of this very training, by the
            same versions, to go on from.

    Raises:
        OSError: a checkpoint cannot be written.
    """
    steps = math.ceil(len(data.train.labels) / config.train.batch_size)
    network = network_for(config, data.input_shape, data.n_classes, precision=precision, steps=steps)
    network.restart(config, seed)
    sections = [section.model_dump(mode="json") for section in (config.model, config.train)]
    identity = checkpoints.identity_of(*sections, data.checksum, seed, precision, metric, decisive_versions())
    recorder = _Recorder(
        network, config, data, seed=seed, metric=metric, on_epoch=on_epoch, folder=checkpoint_folder, identity=identity
    )
    recorder.resume()
    if not recorder.stopped and len(recorder.history) < config.train.epochs:
        _fit(network, config, data, seed=seed, steps=steps, recorder=recorder)
    return TrainResult(
        history=tuple(recorder.history),
        best_epoch=best_epoch(recorder.history, metric),
        weights=recorder.best_weights,
        parameters=network.model.count_params(),
        stopped=recorder.stopped,
        resumed=recorder.resumed,
    )


def statistics_sample(train: TrainConfig, images: Split, *, seed: int, epoch: int) -> Any:
    """The first batches of an epoch (from 0), as it sees them: `STATISTICS_IMAGES` images, or as many as there are.

    Only whole batches, unless there is none: each counts the same, and a smaller last one would count for a whole.
    """
    batches = statistics_batches(images, batch_size=train.batch_size, augment=train.augment)
    count = max(1, min(STATISTICS_IMAGES, len(images)) // train.batch_size)
    return batches.starting(seed=seed, epoch=epoch).take(count)


def _fit(
    network: TracedNetwork, config: TrainingConfig, data: TrainingData, *, seed: int, steps: int, recorder: _Recorder
) -> None:
    first, last = len(recorder.history), config.train.epochs
    batches = training_batches(data.train, batch_size=config.train.batch_size, augment=config.train.augment)
    network.trainer.fit(
        batches.starting(seed=seed, epoch=first),
        shuffle=False,  # they are shuffled already
        validation_data=validation_batches(data.validation),
        initial_epoch=first,
        epochs=last,
        steps_per_epoch=steps,
        verbose=0,
        callbacks=[recorder],
    )


class _Recorder(keras.callbacks.Callback):  # type: ignore[misc]
    """Records each epoch, keeps the best weights, writes checkpoints, and ends the training when it should end."""

    def __init__(
        self,
        network: TracedNetwork,
        config: TrainingConfig,
        data: TrainingData,
        *,
        seed: int,
        metric: str,
        on_epoch: Callable[[Epoch], bool] | None,
        folder: Path | None,
        identity: str,
    ) -> None:
        super().__init__()
        self.history: list[Epoch] = []
        self.best_weights: list[np.ndarray] = []
        self.stopped: Stopped | None = None
        self._network, self._train, self._images = network, config.train, data.train
        self._seed, self._metric = seed, metric
        self._on_epoch, self._folder, self._identity = on_epoch, folder, identity
        self.resumed = False
        self._started = 0.0
        self._raw_weights: list[np.ndarray] = []
        self._validated_weights: list[np.ndarray] = []

    def resume(self) -> None:
        """Take up the state of the newest checkpoint, if there is one."""
        state = checkpoints.newest(self._folder, self._identity) if self._folder else None
        if state is None:
            return
        self.resumed = True
        self.history, self.best_weights = list(state.history), list(state.best_weights)
        self._network.model.set_weights(list(state.weights))
        for variable, value in zip(self._network.optimizer.variables, state.optimizer, strict=True):
            variable.assign(value)
        answers = [self._tell(epoch) for epoch in self.history]
        self._judge(asked_to_stop=any(answers))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Everything random in the epoch, and a plateau's rate, follow from what is known at its start."""
        self._started = time.perf_counter()
        self._network.seed_dropout(self._seed, epoch)
        if self._train.schedule.name == "plateau":
            rate = base_learning_rate(self._train) * plateau_factor(self.history, self._train.schedule)
            self._network.optimizer.learning_rate.assign(rate)

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Validate the averaged weights, where averaging is on."""
        weights = self._network.model.weights
        if self._train.ema is not None:
            self._raw_weights = arrays(weights)
            batches = statistics_sample(self._train, self._images, seed=self._seed, epoch=len(self.history))
            self._network.average_weights(batches)
        self._validated_weights = arrays(weights)

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Go on training from the weights themselves, not from their average."""
        if self._train.ema is not None:
            self._network.model.set_weights(self._raw_weights)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write down the epoch, then decide whether there is another."""
        figures = logs or {}
        names = ("loss", "accuracy", "val_loss", "val_accuracy", "val_crossentropy")
        self.history.append(
            Epoch(
                epoch=epoch + 1,
                **{name: float(figures[name]) for name in names},
                learning_rate=current_learning_rate(self._network.optimizer),
                seconds=time.perf_counter() - self._started,
            )
        )
        if best_epoch(self.history, self._metric) == epoch + 1:
            self.best_weights = self._validated_weights
        self._save()
        self._judge(asked_to_stop=self._tell(self.history[-1]))
        self.model.stop_training = self.stopped is not None

    def _tell(self, epoch: Epoch) -> bool:
        return self._on_epoch is not None and self._on_epoch(epoch)

    def _judge(self, *, asked_to_stop: bool) -> None:
        if self.history[-1].diverged:
            self.stopped = "diverged"
        elif len(self.history) == self._train.epochs:
            return
        elif exhausted(self.history, self._metric, self._train.early_stopping):
            self.stopped = "early"
        elif asked_to_stop:
            self.stopped = "requested"

    def _save(self) -> None:
        if self._folder is None:
            return
        weights = self._network.model.get_weights()
        optimizer = arrays(self._network.optimizer.variables)
        state = checkpoints.Checkpoint(tuple(self.history), weights, optimizer, self.best_weights)
        checkpoints.save(self._folder, state, self._identity)
