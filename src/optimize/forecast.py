"""How long a sweep will take: a few steps of its networks are timed where its trials will run."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from main.backend import choose_precision
from main.config import TrainingConfig
from main.tracing import graph_key
from optimize.cores import threads_to_spare
from optimize.engine import first_slots
from optimize.plan import Plan
from optimize.progress import duration
from optimize.staff import Staff
from optimize.trial import load_data
from optimize.trial import run as run_trial
from optimize.workers import prepare

if TYPE_CHECKING:
    from rich.console import Console

    from main.timing import TrainingTimes
    from optimize.engine import Engine

MOST_TIMED = 12
MOST_CELLS = 2_000
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
    """Networks that were timed."""
    networks: int
    """Networks there are; those that were not timed are taken to cost what others of their size do."""

    @property
    def seconds(self) -> float:
        """In all."""
        return self.starting + self.training + self.concluding


class _Timed(NamedTuple):
    graph: str
    size: float
    """Multiply-adds of one step."""
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
    trainings = _trainings(plan)
    distinct = list({graph_key(training): training for training in trainings}.values())
    chosen = _spread(distinct, plan)
    began = time.monotonic()
    engine = start_engine()
    workers = len(first_slots(engine))
    with ThreadPoolExecutor(workers) as pool:
        data = [plan.config.base.data] * workers
        list(pool.map(lambda config: engine.call(prepare, config, plan.config.run.threads), data))
        starting = time.monotonic() - began
        precision = choose_precision(plan.config.run.precision)
        padded = list(islice(cycle(chosen), workers * math.ceil(len(chosen) / workers)))
        measured = list(pool.map(lambda training: engine.call(time_on_worker, training, precision), padded))
    timed = [_Timed(graph_key(t), _size(t, plan), spent) for t, spent in zip(padded, measured, strict=True)]
    per_trial = [_times_of(training, timed, plan).trial(training, plan.data.n_train) for training in trainings]
    return Forecast(
        starting=starting,
        training=math.ceil(plan.trials / workers) * fmean(per_trial),
        concluding=SECONDS_TO_CONCLUDE,
        workers=workers,
        timed=len(chosen),
        networks=len(distinct),
    )


def time_on_worker(training: TrainingConfig, precision: str) -> TrainingTimes:
    """Time one network on the worker that this runs on."""
    from main.timing import time_training

    return time_training(training, load_data(training.data), "bfloat16" if precision == "bfloat16" else "float32")


def _trainings(plan: Plan) -> list[TrainingConfig]:
    """The cells of a grid; for a sampler, a training of each network that it may draw."""
    config = plan.config
    if config.study.sampler.name == "grid":
        cells = config.space.cells()
    else:
        cells = (config.space.complete(values) for network in plan.networks for values in network.values)
    return [config.concrete(cell) for cell in islice(cells, MOST_CELLS)]


def _size(training: TrainingConfig, plan: Plan) -> float:
    """Multiply-adds of one step."""
    layers = training.model.layers(plan.data.input_shape, plan.data.n_classes)
    return float(sum(layer.multiply_adds for layer in layers) * training.train.batch_size)


def _spread(distinct: Sequence[TrainingConfig], plan: Plan) -> list[TrainingConfig]:
    """All of them where they are few; else as many as are timed, from the smallest to the largest."""
    if len(distinct) <= MOST_TIMED:
        return list(distinct)
    by_size = sorted(distinct, key=lambda training: _size(training, plan))
    return [by_size[round(place * (len(by_size) - 1) / (MOST_TIMED - 1))] for place in range(MOST_TIMED)]


def _times_of(training: TrainingConfig, timed: Sequence[_Timed], plan: Plan) -> TrainingTimes:
    """The training's own times, or those of the timed network that is nearest in size."""
    key, size = graph_key(training), _size(training, plan)
    return min(timed, key=lambda other: (other.graph != key, abs(other.size - size))).times


def print_forecast(plan: Plan, console: Console) -> None:
    """How long a sweep will take, and with the cores that it leaves idle."""

    def timed_plan(plan: Plan) -> Forecast:
        with Staff(plan.config, run_trial, workers=None, trials=plan.trials, log=Path(os.devnull)) as staff:
            return forecast(plan, staff.engine)

    expected = timed_plan(plan)
    timed = f"{expected.timed} of {expected.networks} networks timed" if expected.timed < expected.networks else "timed"
    console.print(
        f"about {duration(expected.seconds)} on {expected.workers} workers ({timed}): {duration(expected.starting)} to "
        f"start, {duration(expected.training)} to train, {duration(expected.concluding)} to judge, export and draw",
        highlight=False,
        soft_wrap=True,
    )
    spare = threads_to_spare(plan.config.run, plan.trials)
    if spare is not None:
        shared = timed_plan(replace(plan, config=plan.config.with_threads(spare)))
        console.print(f"about {duration(shared.seconds)} with run.threads: {spare}", highlight=False)
