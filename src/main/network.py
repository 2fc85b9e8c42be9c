"""A compiled network that many trainings of one process can share: traced once, started afresh for each."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
from keras.src.random import seed_generator

import models
from main.backend import Precision, dtype_policy, run_in_training
from main.config import TrainingConfig
from main.losses import training_loss
from main.optimizers import make_optimizer, restart_learning_rate
from main.tracing import CACHED_NETWORKS, graph_key
from main.training_form import VariableDropout, training_form
from models import NetworkSpec

_cache: OrderedDict[Any, TracedNetwork] = OrderedDict()


class TracedNetwork:
    """A network compiled for one configuration's graph, and the exact way back to its untrained state.

    Tracing a training step costs 1.0 to 1.5 s, more than a short trial's epoch. Trainings that differ only in what
    are variables of the graph (initial weights, seeds, rates of learning, their schedules and rates of dropout, label
    smoothing) run the same traced step.

    Attributes:
        model: input float32 (n, h, w, c) in [0, 1], output softmax probabilities (n, n_classes).
        trainer: the same weights up to the logits, in their `training_form`, compiled; what is fitted.
        traces: how often its training step has been traced.
    """

    def __init__(
        self,
        config: TrainingConfig,
        input_shape: tuple[int, int, int],
        n_classes: int,
        *,
        precision: Precision,
        steps: int,
    ) -> None:
        self._build: Callable[[NetworkSpec], keras.Model] = lambda spec: models.build(spec, input_shape, n_classes)
        self._precision, self._steps = precision, steps
        with dtype_policy(precision):
            self.model = self._build(config.model)
            self.trainer = training_form(keras.Model(self.model.inputs, self.model.get_layer("logits").output))
        self._loss = training_loss(config.train.loss, config.train.label_smoothing, n_classes)
        self.trainer.compile(
            optimizer=make_optimizer(config.train, steps),
            loss=self._loss,
            metrics=[
                keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
                keras.metrics.SparseCategoricalCrossentropy(from_logits=True, name="crossentropy"),
            ],
            steps_per_execution=steps,  # the whole epoch is one call: no Python between batches
            jit_compile=False,  # XLA on a CPU trains six times slower
        )
        self._normalisations = [layer for layer in self.model._flatten_layers() if _keeps_statistics(layer)]
        self._run_in_training = run_in_training(self.trainer)
        self.traces = 0
        self._count_traces()
        self.optimizer.build(self.trainer.trainable_variables)
        # Not zeros: Adagrad's accumulators and Nadam's momentum product start elsewhere.
        self._fresh_optimizer = arrays(self.optimizer.variables)

    def _count_traces(self) -> None:
        """Keras calls the Python of a training step only to trace it."""
        step = self.trainer.train_step

        def counted(batch: Any) -> Any:
            self.traces += 1
            return step(batch)

        self.trainer.train_step = counted

    @property
    def optimizer(self) -> Any:
        """The compiled optimizer."""
        return self.trainer.optimizer

    def restart(self, config: TrainingConfig, seed: int) -> None:
        """Put weights, optimizer and metrics where a network freshly built from `seed` has them, to the bit.

        Args:
            config: one whose graph is this network's; see `graph_key`.
            seed: decides the initial weights.
        """
        # Not keras.utils.set_random_seed: it sets TensorFlow's seed too, which discards every compiled function of
        # the process (0.25 s at the next epoch).
        random.seed(seed)
        np.random.seed(seed)
        with dtype_policy(self._precision), _keras_draws_from(random.Random(seed)):
            fresh = self._build(config.model)
        self.model.set_weights(fresh.get_weights())
        # By position: Keras numbers layers that were given no name, and counts on from one network to the next.
        counterparts = {kept.name: new for kept, new in zip(self.model.layers, fresh.layers, strict=True)}
        for layer in self.trainer.layers:
            if isinstance(layer, VariableDropout):
                layer.rate.assign(counterparts[layer.name].rate)
        for variable, value in zip(self.optimizer.variables, self._fresh_optimizer, strict=True):
            variable.assign(value)
        restart_learning_rate(self.optimizer, config.train, self._steps)
        self._loss.label_smoothing.assign(config.train.label_smoothing)
        self.trainer.reset_metrics()

    def seed_dropout(self, seed: int, epoch: int) -> None:
        """Set every generator in the network from (seed, epoch, layer), so that an epoch can be trained on its own."""
        for position, layer in enumerate(self.trainer.layers):
            generators = (generator for part in layer._flatten_layers() for generator in part._seed_generators)
            for number, generator in enumerate(generators):  # more than one in somebody's layer of layers
                entropy = [seed, epoch, position, number] if number else [seed, epoch, position]
                generator.state.assign(np.random.SeedSequence(entropy).generate_state(2, np.uint32))

    def average_weights(self, batches: Any) -> None:
        """Put the optimizer's averages in place of the weights, with the normalisation statistics that are theirs.

        Those kept in training are of the weights of each moment. The averages are another network, whose statistics
        are measured once it is there (Izmailov et al. 2018, arXiv 1803.05407).

        Args:
            batches: some training images, a finite tf.data.Dataset like those of `TrainingBatches`.
        """
        averages = self.optimizer._model_variables_moving_average
        for variable, average in zip(self.trainer.trainable_variables, averages, strict=True):
            variable.assign(average)
        if not self._normalisations:
            return
        for layer in self._normalisations:
            layer.moving_mean.assign(keras.ops.zeros_like(layer.moving_mean))
            layer.moving_variance.assign(keras.ops.zeros_like(layer.moving_variance))
        count = int(self._run_in_training(batches))
        for layer in self._normalisations:
            seen = 1 - layer.momentum**count  # how much of a moving average that began at 0 has been filled
            layer.moving_mean.assign(layer.moving_mean / seen)
            layer.moving_variance.assign(layer.moving_variance / seen)


def _keeps_statistics(layer: keras.layers.Layer) -> bool:
    """Whether it is a batch normalisation whose moving averages move."""
    return isinstance(layer, keras.layers.BatchNormalization) and layer.trainable and layer.momentum < 1


def _keras_draws_from(generator: random.Random) -> AbstractContextManager[Any]:
    """Let Keras draw the seeds of initial weights from a generator of its own.

    It draws them from Python's global one, and so do a worker's other threads, at any moment: Dask's heartbeats took
    a number now and then, and two trials of thirty began with other weights.
    """
    return patch.object(seed_generator, "python_random", generator)


def arrays(variables: Iterable[Any]) -> list[np.ndarray]:
    """The values of Keras variables, as copies that later assignments leave alone."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def network_for(
    config: TrainingConfig, input_shape: tuple[int, int, int], n_classes: int, *, precision: Precision, steps: int
) -> TracedNetwork:
    """This process's traced network for the configuration, made where it holds none; the last four are kept."""
    key = (graph_key(config), input_shape, n_classes, precision, steps)
    if key in _cache:
        _cache.move_to_end(key)
    else:
        _cache[key] = TracedNetwork(config, input_shape, n_classes, precision=precision, steps=steps)
        if len(_cache) > CACHED_NETWORKS:
            _cache.popitem(last=False)
    return _cache[key]


def plain_network(
    config: TrainingConfig, input_shape: tuple[int, int, int], n_classes: int, weights: Sequence[np.ndarray]
) -> keras.Model:
    """The network in its plain form and float32, built anew with these weights, as it is exported.

    Raises:
        ValueError: the weights are not those of such a network.
    """
    with dtype_policy("float32"):
        model = models.build(config.model, input_shape, n_classes)
    model.set_weights(weights)
    return model


def forget_networks() -> None:
    """Let go of this process's traced networks, so that whichever is asked for next is traced anew."""
    _cache.clear()
