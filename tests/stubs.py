"""Trials that train nothing: an accuracy that follows from values and seed, and faults on demand.

A stub is chosen by name and runs wherever a trial runs, so a worker process imports this file by itself.
"""

import ctypes
import io
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from main import checkpoint
from main.history import Epoch
from optimize.ratetrial import RateOutcome, RateTask
from optimize.trial import TrialOutcome, TrialTask, outcome_of, pack

Report = Callable[[Epoch], None]
StopRequested = Callable[[], bool]


def merit(task: TrialTask) -> float:
    """An accuracy between 0.5 and 0.99 that depends on configuration and, a little, on the seed."""
    by_choice = zlib.crc32(task.configuration.encode()) % 1000 / 1000
    by_seed = zlib.crc32(f"{task.configuration}{task.seed}".encode()) % 1000 / 1000
    return 0.5 + 0.4 * by_choice + 0.01 * by_seed


def learn(task: TrialTask, report: Report, stop_requested: StopRequested, seconds: float = 0.0) -> TrialOutcome:
    """Climb to `merit` over the epochs of the task; stops when asked."""
    history: list[Epoch] = []
    epochs = task.config.train.epochs
    for number in range(1, epochs + 1):
        time.sleep(seconds)
        accuracy = merit(task) * number / epochs
        history.append(Epoch(number, 1 - accuracy, accuracy, 1 - accuracy, accuracy, 1 - accuracy, 1e-3, seconds))
        report(history[-1])
        if stop_requested() and number < epochs:
            return TrialOutcome(task.trial, "interrupted", history=tuple(history), attempt=task.attempt)
    return complete(task, history)


def complete(task: TrialTask, history: list[Epoch]) -> TrialOutcome:
    content = io.BytesIO()
    np.savez(content, np.full(4, task.trial, np.float32))
    return TrialOutcome(
        task.trial,
        "complete",
        history=tuple(history),
        best_epoch=history[-1].epoch,
        parameters=4,
        weights=content.getvalue(),
        started="2026-01-01T00:00:00+00:00",
        ended="2026-01-01T00:00:01+00:00",
        seconds=0.1,
        attempt=task.attempt,
    )


def slow(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """A tenth of a second an epoch."""
    return learn(task, report, stop_requested, seconds=0.1)


def fails(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """Every trial fails for the same reason."""
    return TrialOutcome(task.trial, "failed", "ValueError: no luck", details="Traceback …")


def max_fails(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """Only `max` fails."""
    return (fails if task.configuration == "max" else learn)(task, report, stop_requested)


def dies_once(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """The worker of trial 1 is gone in its first attempt."""
    if task.trial == 1 and task.attempt == 1:
        os._exit(1)
    return learn(task, report, stop_requested)


def dies_always(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """The worker of trial 1 is gone in every attempt."""
    if task.trial == 1:
        os._exit(1)
    return learn(task, report, stop_requested)


def segfaults_once(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """The worker of trial 1 reads memory that is not its own in its first attempt."""
    if task.trial == 1 and task.attempt == 1:
        ctypes.string_at(0)
    return learn(task, report, stop_requested)


def hangs(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """Trial 0 never ends by itself."""
    if task.trial == 0:
        time.sleep(3600)
    return learn(task, report, stop_requested)


def _hold_memory(seconds: float) -> None:
    kept = np.ones(75_000_000)
    time.sleep(seconds)
    del kept


def grows(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """Trial 0 takes 600 MB and keeps it."""
    if task.trial == 0:
        _hold_memory(60)
    return learn(task, report, stop_requested)


def mark(line: str) -> None:
    """Leave a line in a file that tests count by; a short append is whole or absent, whoever is killed."""
    with Path(os.environ["STUB_MARKS"]).open("a") as file:
        file.write(line + "\n")


def gate_file(marks: Path) -> Path:
    """What a trial that waits at its gate waits for."""
    return marks.with_suffix(".go")


def wait_at_gate() -> None:
    """Wait for a test to have done what it does to a trial that runs, however slow the machine."""
    while not gate_file(Path(os.environ["STUB_MARKS"])).exists():
        time.sleep(0.01)


def keeps_checkpoints(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """Goes on from its newest checkpoint, whose epochs it tells again; marks `trial epoch attempt` as it begins each.

    Its weights depend on every epoch in order, so that one lost or trained twice shows in them.
    """
    return outcome_of(task, lambda: _with_checkpoints(task, report, stop_requested))


def _with_checkpoints(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    folder, epochs = task.checkpoint_folder, task.config.train.epochs
    assert folder is not None
    state = checkpoint.newest(folder)
    history = list(state.history) if state else []
    for epoch in history:
        report(epoch)
    weights = state.weights[0] if state else np.full(4, task.seed, np.float64)
    for number in range(len(history) + 1, epochs + 1):
        mark(f"{task.trial} {number} {task.attempt}")
        if task.attempt == 1 and os.environ.get("STUB_GATE") == f"{task.trial} {number}":
            wait_at_gate()
        seconds = float(os.environ.get("STUB_SECONDS", "0.05"))
        time.sleep(seconds)
        weights = np.sin(weights + merit(task) * number)
        accuracy = merit(task) * number / epochs
        history.append(Epoch(number, 1 - accuracy, accuracy, 1 - accuracy, accuracy, 1 - accuracy, 1e-3, 0.05))
        checkpoint.save(folder, checkpoint.Checkpoint(tuple(history), [weights], [], []))
        report(history[-1])
        if stop_requested() and number < epochs:
            return TrialOutcome(task.trial, "interrupted", history=tuple(history), attempt=task.attempt)
    return replace(complete(task, history), weights=pack([weights]))


def prepares(marks: Path) -> None:
    """What a worker does ahead of its first trial."""
    with marks.open("a") as file:
        file.write(f"{os.getpid()}\n")


def leaves_marks(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """Each training leaves a line in a file, so that a test can count them."""
    with Path(os.environ["STUB_MARKS"]).open("a") as file:
        file.write(f"{task.trial} {task.configuration} {task.seed} {os.getpid()}\n")
    return learn(task, report, stop_requested, seconds=0.05)


def fades(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """At its best in the first epoch, a little worse in each: a bad trial is bad from the start and never improves."""
    history: list[Epoch] = []
    for number in range(1, task.config.train.epochs + 1):
        value = merit(task) - 0.001 * number
        history.append(Epoch(number, 1 - value, value, 1 - value, value, 1 - value, 1e-3, 0.0))
        report(history[-1])
        time.sleep(0.002)  # the pruner's word needs a moment to arrive
        if stop_requested() and number < task.config.train.epochs:
            return TrialOutcome(task.trial, "interrupted", history=tuple(history))
    return complete(task, history)


def counts_traces(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """A real training, after which the worker leaves a line: its process, and what that has traced so far."""
    from main import network
    from optimize.trial import run

    outcome = run(task, report, stop_requested)
    mark(f"{os.getpid()} {sum(traced.traces for traced in network._cache.values())}")
    return outcome


def rises(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """A training of a range test, whose loss falls a little with every batch."""
    assert isinstance(task, RateTask)
    losses = tuple(2.0 - 0.01 * step for step in range(len(task.rates)))
    return RateOutcome(task.trial, "complete", losses=losses)


def rises_or_hangs(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """Training 0 of a range test never ends by itself."""
    if task.trial == 0:
        time.sleep(3600)
    return rises(task, report, stop_requested)


def rises_or_grows(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """Training 0 of a range test takes 600 MB and keeps it."""
    if task.trial == 0:
        _hold_memory(3600)
    return rises(task, report, stop_requested)


def rises_or_dies(task: TrialTask, report: Report, stop_requested: StopRequested) -> TrialOutcome:
    """The worker of training 0 is gone in its first attempt, that of training 1 in every attempt."""
    if task.trial == 1 or (task.trial, task.attempt) == (0, 1):
        os._exit(1)
    return rises(task, report, stop_requested)
