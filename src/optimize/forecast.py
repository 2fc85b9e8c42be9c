"""How long a sweep will take: a few steps of its trainings are timed where its trials will run."""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from main.backend import choose_precision
from main.config import TrainingConfig
from main.timing import TrainingTimes, cost_key
from main.tracing import CACHED_NETWORKS, graph_key
from models import ImpossibleNetwork
from optimize.config import SweepConfig
from optimize.cores import threads_to_spare
from optimize.engine import first_slots
from optimize.plan import Plan
from optimize.space import Value
from optimize.staff import Staff
from optimize.trial import load_data
from optimize.trial import run as run_trial
from optimize.wording import counted, duration
from optimize.workers import prepare

if TYPE_CHECKING:
    from rich.console import Console

    from optimize.engine import Engine

MOST_TIMED = 12
MOST_CELLS = 2_000
DRAWS = 256
"""Of a sampler's space, drawn at random: the mean of their times is within a few percent of all configurations'."""
SECONDS_TO_CONCLUDE = 10.0
"""Judging, exporting, drawing and reporting take about so long on a core of 2.5 GHz, whatever the sweep."""


@dataclass(frozen=True)
class Forecast:
    """Wall time of a sweep that starts from nothing, in seconds; pruning and early stopping only shorten it."""

    starting: float
    """Until every worker has imported TensorFlow and read the data; measured."""
    training: float
    concluding: float
    workers: int
    """Trials at a time."""
    timed: int
    """Kinds of training that were timed."""
    kinds: int
    """Kinds of training there are, one for all that take equally long a step; those that were not timed are taken to
    cost what others of their size do."""

    @property
    def seconds(self) -> float:
        """In all."""
        return self.starting + self.training + self.concluding


class _Training(NamedTuple):
    config: TrainingConfig
    graph: str
    """The same for trainings that a worker traces once."""
    kind: tuple[str, float]
    """The same for trainings that take equally long a step."""
    size: float
    """Multiply-adds of one step."""


class _Timed(NamedTuple):
    training: _Training
    times: TrainingTimes


def forecast(plan: Plan, start_engine: Callable[[], Engine]) -> Forecast:
    """Keep the sweep's own workers busy with timing, and add up.

    Every worker is busy while one is timed, because cores share caches, memory and clocks.

    Args:
        plan: the sweep.
        start_engine: starts the workers that the sweep would run on.

    Raises:
        main.data.DataError: the data is missing or damaged.
        optimize.engine.EngineLost: no worker comes, or those that do are lost.
    """
    trainings = list(_trainings(plan))
    kinds = list({training.kind: training for training in trainings}.values())
    chosen = _spread(kinds)
    began = time.monotonic()
    engine = start_engine()
    workers = len(first_slots(engine))
    with ThreadPoolExecutor(workers) as pool:
        data = [plan.config.base.data] * workers
        list(pool.map(lambda config: engine.call(prepare, config, plan.config.run.threads), data))
        starting = time.monotonic() - began
        precision = choose_precision(plan.config.run.precision)
        padded = list(islice(cycle(chosen), workers * math.ceil(len(chosen) / workers)))
        measured = list(pool.map(lambda training: engine.call(time_on_worker, training.config, precision), padded))
    timed = [_Timed(training, times) for training, times in zip(padded, measured, strict=True)]
    return Forecast(
        starting=starting,
        training=_training_seconds(trainings, timed, plan, workers),
        concluding=SECONDS_TO_CONCLUDE,
        workers=workers,
        timed=len(chosen),
        kinds=len(kinds),
    )


def time_on_worker(training: TrainingConfig, precision: str) -> TrainingTimes:
    """Time one training on the worker that this runs on."""
    from main.timing import time_training

    return time_training(training, load_data(training.data), "bfloat16" if precision == "bfloat16" else "float32")


def _trainings(plan: Plan) -> Iterator[_Training]:
    """What the sweep may train; a trial whose network cannot be built ends at once, and is left out."""
    for values in _configurations(plan.config):
        training = plan.config.concrete(values)
        try:
            layers = training.model.layers(plan.data.input_shape, plan.data.n_classes)
        except ImpossibleNetwork:
            continue
        size = float(sum(layer.multiply_adds for layer in layers) * training.train.batch_size)
        yield _Training(training, graph_key(training), (cost_key(training), size), size)


def _configurations(config: SweepConfig) -> list[dict[str, Value]]:
    """The cells of a grid, of very many some at random; what another sampler draws before it has learned anything.

    They are the same each time.
    """
    import optuna

    if config.study.sampler.name == "grid":
        cells = list(config.space.cells())
        return cells if len(cells) <= MOST_CELLS else Random(0).sample(cells, MOST_CELLS)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=config.study.sampler.seed))
    return [config.space.suggest(study.ask()) for _ in range(DRAWS)]


def _spread(kinds: Sequence[_Training]) -> list[_Training]:
    """All of them where they are few; else as many as are timed, from the smallest to the largest."""
    if len(kinds) <= MOST_TIMED:
        return list(kinds)
    by_size = sorted(kinds, key=lambda training: training.size)
    return [by_size[round(place * (len(by_size) - 1) / (MOST_TIMED - 1))] for place in range(MOST_TIMED)]


def _training_seconds(trainings: Sequence[_Training], timed: Sequence[_Timed], plan: Plan, workers: int) -> float:
    """As many trials as each worker has, of the mean time of `trainings`, with their share of the tracing."""
    sharing = Counter(training.graph for training in trainings)
    seconds = 0.0
    for training in trainings:
        times = _times_of(training, timed)
        trials = plan.trials * sharing[training.graph] / len(trainings)
        traces = times.trace * _traces(trials, len(sharing), plan, workers)
        seconds += times.trial(training.config, plan.data.n_train) + traces / trials
    return math.ceil(plan.trials / workers) * seconds / len(trainings)


def _traces(trials: float, graphs: int, plan: Plan, workers: int) -> float:
    """How often a graph of so many trials is traced: by each worker once, and again where the worker let go of it.

    A worker keeps a few graphs, and meets them as a sampler draws them, or as a grid has it: each once a seed and fold.
    """
    first = min(trials, workers)
    met = trials if plan.config.study.sampler.name != "grid" else plan.trials / plan.configurations
    return first + max(met - first, 0.0) * max(1 - CACHED_NETWORKS / graphs, 0.0)


def _times_of(training: _Training, timed: Sequence[_Timed]) -> TrainingTimes:
    """The times of the training's own kind, or those of the timed one that is nearest in size."""
    return min(timed, key=lambda t: (t.training.kind != training.kind, abs(t.training.size - training.size))).times


def print_forecast(plan: Plan, console: Console) -> None:
    """How long a sweep will take, and with the cores that it leaves idle."""

    def timed_plan(plan: Plan) -> Forecast:
        with Staff(plan.config, run_trial, workers=None, trials=plan.trials, log=Path(os.devnull)) as staff:
            return forecast(plan, staff.engine)

    expected = timed_plan(plan)
    part = f"{expected.timed} of {expected.kinds} kinds of training timed"
    timed = part if expected.timed < expected.kinds else "timed"
    workers = counted(expected.workers, "worker")
    console.print(
        f"about {duration(expected.seconds)} on {workers} ({timed}): {duration(expected.starting)} to "
        f"start, {duration(expected.training)} to train, {duration(expected.concluding)} to judge, export and draw",
        highlight=False,
        soft_wrap=True,
    )
    spare = threads_to_spare(plan.config.run, plan.trials)
    if spare is not None:
        shared = timed_plan(replace(plan, config=plan.config.with_threads(spare)))
        console.print(f"about {duration(shared.seconds)} with run.threads: {spare}", highlight=False)
